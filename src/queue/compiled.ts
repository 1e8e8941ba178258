import { type CompiledQuery, createQueryId, type KyselyPlugin, WithSchemaPlugin } from 'kysely'
import { Fitting } from '../schema/fitted.js'
import type { Jobs } from '../schema/job-database.js'

/**
 * A statement to be run again and again, built and compiled once: that takes a third of a millisecond, more than Postgres
 * needs for one job. `places` stand in it for what each run is given; they are known again among the parameters by
 * being the same, so numbers need boxes of their own. It is built for each run where the user has plugins: each is to see
 * every query before its result, and may keep what it knows by the query's id. So is the first, which may be the only one.
 */
export function compiled<Given extends object, Row>(
  jobs: Jobs,
  places: Given,
  build: (given: Given) => CompiledQuery<Row>,
): (given: Given) => CompiledQuery<Row> {
  let isFirst = true
  const areOurs = jobs.db.getExecutor().plugins.every(isOurs)
  let filled: typeof build | undefined
  return (given) => {
    const isOnlyOne = isFirst // as far as anybody knows
    isFirst = false
    if (isOnlyOne || !areOurs) return build(given)
    filled ??= filling(places, build(places))
    return filled(given)
  }
}

/** Which knows nothing of a query but the query. */
const isOurs = (plugin: KyselyPlugin): boolean => plugin.constructor === WithSchemaPlugin || plugin instanceof Fitting

/** Puts what is given in the place of what stands for it. */
function filling<Given extends object, Row>(places: Given, built: CompiledQuery<Row>) {
  const keys = new Map<unknown, keyof Given>()
  for (const key of Object.keys(places) as (keyof Given)[]) keys.set(places[key], key) // they are its keys
  return (given: Given): CompiledQuery<Row> => {
    const parameters = built.parameters.map((value) => {
      const key = keys.get(value)
      return key === undefined ? value : given[key]
    })
    return { ...built, parameters, queryId: createQueryId() }
  }
}

/** A unique placeholder for a text, compared by identity. */
export function textPlace(): string {
  return new String('') as string // its box
}

/** A unique placeholder for a number, compared by identity. */
export function numberPlace(): number {
  return new Number(0) as number // its box
}
