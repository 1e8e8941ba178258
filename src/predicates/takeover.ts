import { type RawBuilder, sql } from 'kysely'
import { columnValue, type Row } from '../schema/row.js'
import { column } from './column.js'

/**
 * What rescue leaves in `last_error`. The count makes a job that kills its workers known without a column of its
 * own: from its first takeover on it is a suspect.
 */
export function takeoverError(): RawBuilder<string> {
  const before = sql`coalesce(substring(${column('last_error')} from '^Lease expired [(]([0-9]{1,9}) ')::int, 0)`
  const worker = sql`coalesce(${column('locked_by')}::text, 'nobody')`
  return sql<string>`format('Lease expired (%s in a row): worker %s stopped renewing it during attempt %s; it was killed, cut off or blocked',
    ${before} + 1, ${worker}, ${column('attempts_count')})`
}

/** Not taken over from a worker that was gone: no suspect. */
export function isNoSuspect(table?: string): RawBuilder<boolean> {
  return sql<boolean>`(${column('last_error', table)} like 'Lease expired (%') is not true`
}

/** How often in a row a job was taken over from a worker that was gone; 0 for any other last error. */
export function takeoversOf(row: Row): number {
  const lastError = columnValue(row, 'last_error')
  const [, count] = (typeof lastError === 'string' && /^Lease expired \((\d{1,9}) /.exec(lastError)) || []
  return Number(count ?? 0)
}
