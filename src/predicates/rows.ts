import { type AliasableExpression, type Expression, isExpression, type RawBuilder, type SqlBool, sql } from 'kysely'
import type { JobId } from '../schema/columns.js'
import { column, job } from './column.js'

/** Rows that a statement is about. */
export interface Rows {
  readonly ids: readonly JobId[]
  /** Of a table whose id alone does not tell a row from all others: the keys of those rows, in the same order. */
  readonly keys?: { readonly key: string; readonly of: readonly string[] } | undefined
}

/**
 * `id = any(...)` over an array parameter, or over a sub-select that runs exactly once. The planner then always
 * goes by the primary key; `in (select ... limit n)` and joins do not under stale statistics (DESIGN 3.2, 3.7).
 */
export function hasIdIn(
  ids: readonly JobId[] | Expression<{ id: JobId }>,
  table?: string,
): AliasableExpression<SqlBool> {
  const array = isExpression(ids) ? job.fn('array', [ids]) : job.val(ids)
  return job(column('id', table), '=', job.fn<JobId>('any', [array]))
}

/** Whether a row is one of these. By the id also where it is not enough: that is what the primary key begins with. */
export function isAmong({ ids, keys }: Rows, table?: string): AliasableExpression<SqlBool> {
  if (keys === undefined) return hasIdIn(ids, table)
  return job.and([hasIdIn(ids, table), job(keyText(keys.key), '=', job.fn<string>('any', [job.val(keys.of)]))])
}

/** The row's place (from 1) among these. */
export function placeIn({ ids, keys }: Rows): RawBuilder<number> {
  if (keys === undefined) return sql<number>`array_position(${ids}, ${column('id')})`
  return sql<number>`array_position(${keys.of}::text[], ${keyText(keys.key)})`
}

/** A row's key, as the inspection of its table has found out how to write it. */
export const keyText = (key: string): RawBuilder<string> => sql`(${sql.raw(key)})`
