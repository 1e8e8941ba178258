import type { Expression } from 'kysely'
import { millisecondsUntil } from '../predicates/clock.js'
import type { Duration } from '../schema/duration.js'
import { type Jobs, jobsOf } from '../schema/job-database.js'
import type { JobTable, OptionalColumn, ReadonlyQueryable } from '../schema/job-table.js'
import { own } from '../schema/own-names.js'
import { asText, textsOf } from '../schema/text.js'
import { type Claim, isByPriority, waitingJobs } from './claim.js'
import { prepared } from './prepared.js'
import { withPriorityLevels } from './priority-levels.js'

/**
 * Milliseconds until the next pending job is due, by the database's clock; 0 or less: one is due now; undefined:
 * none waits. One step along the ready index (for each level, with `priority`), whatever the table holds.
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
  return (isByPriority(claim) ? nextOfLevels(jobs, claim) : nextOfAll(jobs, claim)).$asScalar()
}

function nextOfAll(jobs: Jobs, claim: Claim) {
  return jobs.db.selectFrom(earliest(jobs, claim).as(own.next)).select((eb) => dueIn(eb.ref(`${own.next}.run_at`)))
}

function nextOfLevels(jobs: Jobs, claim: Claim) {
  return withPriorityLevels(jobs)
    .selectFrom(own.level)
    .innerJoinLateral(
      earliest(jobs, claim)
        .where((eb) => eb('priority', '=', eb.ref(`${own.level}.priority` as 'priority'))) // in scope of a lateral join only
        .as(own.next),
      (join) => join.onTrue(),
    )
    .select((eb) => dueIn(eb.fn.min(`${own.next}.run_at`)))
}

function dueIn(time: Expression<unknown>) {
  return millisecondsUntil(time).$castTo<number | null>().as('due')
}

function earliest(jobs: Jobs, claim: Claim) {
  return waitingJobs(jobs, claim).select('run_at').orderBy('run_at').limit(1)
}
