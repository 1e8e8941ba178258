import { type Kysely, sql } from 'kysely'
import type { JobDatabase } from '../schema/job-database.js'
import { quotedName } from '../schema/names.js'
import { asJsonText, textsOf } from '../schema/text.js'
import { type Filter, placeOf } from './filter.js'
import { isMatch, isNative } from './matching.js'
import { momentOf } from './moment.js'
import type { Narrow } from './stream.js'
import type { JobView, ViewedTable } from './view.js'

/** The most rows that a statement looks at in one table, or in one index of it. */
export const lookedAt = 10_000

/**
 * The tables of which filters by `=` leave few rows, by an index that begins with their columns: these are read in place of the latest.
 * Where it leads to many, the latest are the ones that are likely to be meant.
 */
export async function narrowed(db: Kysely<JobDatabase>, view: JobView, filters: readonly Filter[]): Promise<Narrow> {
  const byIndex = view.places.flatMap((place) => {
    const indexed = indexedFilters(view, place, filters)
    return indexed.length === 0 ? [] : [{ place, within: sql<boolean>`${isMatch(view, indexed)}` }]
  })
  if (byIndex.length === 0) return new Map()
  const counts = byIndex.map(({ place, within }) => {
    const rows = sql`select 1 from ${sql.raw(quotedName(place.table))} as job where ${within} limit ${sql.lit(lookedAt + 1)}`
    return sql`(select count(*) from (${rows}) as counted)`
  })
  const [text] = await textsOf(db, sql`select ${asJsonText(counts)}`.compile(db.withoutPlugins()))
  const found = JSON.parse(text ?? '') as number[] // just made
  return new Map(
    byIndex.flatMap(({ place, within }, n) => ((found[n] ?? 0) <= lookedAt ? [[place, within] as const] : [])),
  )
}

/** The filters by `=` on the columns with which one index begins: of that with the most of them. */
function indexedFilters(view: JobView, { indexes, columns }: ViewedTable, filters: readonly Filter[]): Filter[] {
  const byName = new Map(
    filters.filter((each) => isPlain(view, each)).map((each) => [placeOf(view, each).column.name, each]),
  )
  const beginnings = indexes.map(({ names, predicate }) => {
    const found: Filter[] = []
    for (const name of predicate === null ? names : []) {
      const filter = name !== null && columns.has(name) ? byName.get(name) : undefined
      if (filter === undefined) break
      found.push(filter)
    }
    return found
  })
  return beginnings.reduce((best, each) => (each.length > best.length ? each : best), [])
}

function isPlain(view: JobView, filter: Filter): boolean {
  if (filter.operator !== '=' || filter.path !== undefined) return false
  const { column } = placeOf(view, filter)
  const moment = column.kind === 'timestamp' ? momentOf(filter.values[0] ?? '') : undefined
  return column.kind !== 'array' && isNative(column) && !(moment && 'at' in moment && moment.isDay)
}
