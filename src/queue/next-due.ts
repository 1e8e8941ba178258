import type { Expression } from 'kysely'
import { millisecondsUntil } from '../predicates/clock.js'
import { column } from '../predicates/column.js'
import { inDueOrder } from '../predicates/due-order.js'
import type { Duration } from '../schema/duration.js'
import { type Jobs, jobsOf } from '../schema/job-database.js'
import type { JobTable, OptionalColumn, ReadonlyQueryable } from '../schema/job-table.js'
import { own } from '../schema/own-names.js'
import { asText, textsOf } from '../schema/text.js'
import { type Claim, isByPriority, waitingJobs } from './claim.js'
import { prepared } from './prepared.js'

/**
 * Milliseconds until the next pending job is due, by the database's clock; 0 or less: one is due now; undefined:
 * none waits. One step along the ready index (the due index, with `priority`), whatever the table holds.
 * @example const wait = await nextDueAt(db, 'send_mail_jobs') // 5000: in five seconds
 */
export async function nextDueAt<DB, Table extends keyof DB & string>(
  db: ReadonlyQueryable<DB>,
  table: JobTable<DB, Table>,
  options: {
    readonly columns?: readonly OptionalColumn<DB[Table]>[]
    /** Counts what a fetch with this `lease` would claim. Default: what is locked does not count. */
    readonly lease?: Duration
  } = {},
): Promise<number | undefined> {
  const jobs = jobsOf(db, table)
  return answer(await textsOf(jobs.db, question(jobs, { columns: options.columns ?? [], lease: options.lease })))
}

/** The same to be asked again and again, without being built each time. */
export function compileNextDue(jobs: Jobs, claim: Claim): (db: Jobs['db']) => Promise<number | undefined> {
  const query = prepared(question(jobs, claim))
  return async (db) => answer(await textsOf(db, query))
}

function question(jobs: Jobs, claim: Claim) {
  return jobs.db.selectNoFrom(asText(nextDue(jobs, claim))).compile()
}

function answer([due]: readonly (string | null)[]): number | undefined {
  return due === undefined || due === null ? undefined : Number(due)
}

/** The same as part of a statement: milliseconds, or null where none waits. */
export function nextDue(jobs: Jobs, claim: Claim) {
  return jobs.db
    .selectFrom(earliest(jobs, claim).as(own.next))
    .select((eb) => dueIn(eb.ref(`${own.next}.run_at`)))
    .$asScalar()
}

function dueIn(time: Expression<unknown>) {
  return millisecondsUntil(time).$castTo<number | null>().as('due')
}

/** By the index that is ordered by time: with `priority` that is the due index. */
function earliest(jobs: Jobs, claim: Claim) {
  const runAt = column('run_at')
  return waitingJobs(jobs, claim)
    .select('run_at')
    .orderBy(isByPriority(claim) ? inDueOrder(runAt) : runAt)
    .limit(1)
}
