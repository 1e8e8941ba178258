import {
  type CompiledQuery,
  createQueryId,
  type Expression,
  type QueryExecutorProvider,
  type RawBuilder,
  sql,
} from 'kysely'
import { own } from './own-names.js'
import { unlessUndone } from './undone.js'

/**
 * A value as text that no type parser of the user's sees: of a type (cstring) for which nobody sets one. What a driver is
 * told to make of numbers, dates, ids or texts is for the user's rows.
 */
export function asText<Name extends string = typeof own.text>(value: Expression<unknown>, name?: Name) {
  return sql<string | null>`pg_catalog.textout((${value})::text)`.as((name ?? own.text) as Name) // which is the default
}

/** Several values as the text of a JSON array. Numbers are exact, whatever `extra_float_digits` says, when cast to numeric. */
export function asJsonText(values: readonly Expression<unknown>[]) {
  return asText(sql`pg_catalog.json_build_array(${sql.join(values)})`)
}

/**
 * What several queries make, of one column `kysely_jobs_text` each, as texts of one statement. They become so behind the union: where a server is
 * several nodes, these send each other no value of {@link asText}'s type.
 */
export function textsOfUnion(queries: readonly Expression<unknown>[]): RawBuilder<unknown> {
  const union = sql`${sql.join(queries, sql` union all `)}`
  return sql`select ${asText(sql.id(own.text))} from (${union}) as ${sql.id(own.all)}`
}

/** A statement of the user's schema and case, but whose answer no plugin of theirs sees. */
interface Answering {
  readonly isTransaction?: boolean
  withoutPlugins(): QueryExecutorProvider
}

/** The rows of the answer, each with its values by position: a plugin may call them differently. */
export async function valuesOf(db: Answering, query: CompiledQuery): Promise<unknown[][]> {
  const executor = db.withoutPlugins().getExecutor()
  const { rows } = await unlessUndone(db, () => executor.executeQuery({ ...query, queryId: createQueryId() }))
  return rows.map((row) => Object.values(row as object)) // the driver makes objects of rows
}

/** The one column of the answer. */
export async function textsOf(db: Answering, query: CompiledQuery): Promise<(string | null)[]> {
  return (await valuesOf(db, query)).map(([value]) => (value === null ? null : String(value)))
}
