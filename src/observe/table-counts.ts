import { type RawBuilder, type SqlBool, sql } from 'kysely'
import { isClaimable } from '../predicates/claimable.js'
import { millisecondsUntil, now } from '../predicates/clock.js'
import { column } from '../predicates/column.js'
import { inDueOrder } from '../predicates/due-order.js'
import { hasStatus, isPending, isRunning, statusLiteral } from '../predicates/status.js'
import { countBound } from '../queue/count.js'
import { quotedName, type TableName } from '../schema/names.js'
import { own } from '../schema/own-names.js'
import type { ObservedTable } from './observed-table.js'

/**
 * What is counted of a job table, in the order in which {@link countsIn} has it: each up to {@link countBound}, so many meaning so many or more; null: not
 * counted, as it would read the table.
 */
export type TableCounts = readonly [
  /** Pending jobs whose time has come: those that could be claimed, and how long the first has waited, as a text. */
  past: readonly [count: number, claimable: number, oldest: string | null] | null,
  /** Pending jobs whose time is to come, and those of them in retry. */
  future: readonly [count: number, retrying: number] | null,
  running: number | null,
  /** Those that ended unsuccessfully in the last day, and in the last hour, by status, in the table and in its archive. */
  failed: readonly (readonly [day: number, hour: number])[] | null,
]

/** The same as one JSON value. */
export function countsIn({ table, archive, indexes }: ObservedTable): RawBuilder<unknown> {
  const { due, running, failed } = indexes
  const nothing = sql`null`
  const order = due === 'due order' ? inDueOrder : <Time>(time: Time) => time
  const parts = [table, ...(archive === undefined ? [] : [archive.table])]
  const ranges = parts.flatMap((part) => [failedIn(part, 'job_status_failed'), failedIn(part, 'job_status_timed_out')])
  return sql`pg_catalog.json_build_array(${sql.join([
    due === undefined ? nothing : past(table, order),
    due === undefined ? nothing : future(table, order),
    running ? runningIn(table) : nothing,
    failed ? sql`pg_catalog.json_build_array(${sql.join(ranges)})` : nothing,
  ])})`
}

type Order = (time: RawBuilder<unknown> | ReturnType<typeof column>) => RawBuilder<unknown> | ReturnType<typeof column>

const bounded = sql.lit(countBound)

function past(table: TableName, order: Order): RawBuilder<unknown> {
  const runAt = column('run_at')
  const rows = sql`select ${runAt}, ${isClaimable()} as claimable ${from(table)}
    where ${isPending()} and ${order(runAt)} <= ${order(now())} order by ${order(runAt)} limit ${bounded}`
  const oldest = sql`(-${millisecondsUntil(sql`min(run_at) filter (where claimable)`)})::text`
  return counted(rows, [all, sql`count(*) filter (where claimable)`, oldest])
}

/** Jobs that are due may be many: the index is read from now on. */
function future(table: TableName, order: Order): RawBuilder<unknown> {
  const runAt = column('run_at')
  const isRetry = sql`${column('status')} = ${statusLiteral('job_status_retry')}`
  const rows = sql`select ${isRetry} as retrying ${from(table)}
    where ${isPending()} and ${order(runAt)} > ${order(now())} order by ${order(runAt)} limit ${bounded}`
  return counted(rows, [all, sql`count(*) filter (where retrying)`])
}

function runningIn(table: TableName): RawBuilder<unknown> {
  const rows = sql`select 1 ${from(table)} where ${isRunning()} order by ${column('locked_by')} limit ${bounded}`
  return sql`(select count(*) from (${rows}) ${sql.ref(own.page)})`
}

/** The latest first: the last hour is whole where it has fewer than are counted. */
function failedIn(table: TableName, status: 'job_status_failed' | 'job_status_timed_out'): RawBuilder<unknown> {
  const updatedAt = column('updated_at')
  const isOne = sql<SqlBool>`${column('status')} = ${statusLiteral(status)}`
  const isEnded = hasStatus(['job_status_failed', 'job_status_timed_out'])
  const isOfDay = sql`${updatedAt} > now() - interval '1 day'`
  const rows = sql`select ${updatedAt} > now() - interval '1 hour' as late ${from(table)}
    where ${isEnded} and ${isOne} and ${isOfDay} order by ${updatedAt} desc limit ${bounded}`
  return counted(rows, [all, sql`count(*) filter (where late)`])
}

const all = sql`count(*)`

function from(table: TableName): RawBuilder<unknown> {
  return sql`from ${sql.raw(quotedName(table))} as ${sql.ref(own.row)}`
}

function counted(rows: RawBuilder<unknown>, values: readonly RawBuilder<unknown>[]): RawBuilder<unknown> {
  return sql`(select pg_catalog.json_build_array(${sql.join(values)}) from (${rows}) as ${sql.ref(own.counted)})`
}
