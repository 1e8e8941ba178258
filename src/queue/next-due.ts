import { type AliasableExpression, type Expression, isExpression, type SelectQueryBuilder, sql } from 'kysely'
import { millisecondsUntil, timestamp } from '../predicates/clock.js'
import { column, job } from '../predicates/column.js'
import { inDueOrder } from '../predicates/due-order.js'
import type { Duration } from '../schema/duration.js'
import { type JobAlias, type JobDatabase, type Jobs, jobsOf } from '../schema/job-database.js'
import type { JobTable, OptionalColumn, ReadonlyQueryable } from '../schema/job-table.js'
import { own } from '../schema/own-names.js'
import { asText, textsOf } from '../schema/text.js'
import { type Claim, hasPaused, isByPriority, waitingAndPaused, waitingJobs } from './claim.js'
import { compiled } from './compiled.js'
import { earliestOf, isNotPaused } from './paused-keys.js'
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
    /** Looks only at jobs that are due from then on: for whoever has claimed all that was due before, as for a fetch. */
    readonly dueSince?: Date
  } = {},
): Promise<number | undefined> {
  const jobs = jobsOf(db, table)
  const { columns = [], lease, dueSince } = options
  return answer(await textsOf(jobs.db, question(jobs, { columns, lease }, dueSince)))
}

/** The same to be asked again and again, of all jobs or of those that are due from a time on. */
export type CompiledNextDue = (db: Jobs['db'], since?: Date) => Promise<number | undefined>

export function compileNextDue(jobs: Jobs, claim: Claim): CompiledNextDue {
  const whole = prepared(jobs, question(jobs, claim))
  const from = compiled<{ since: Date }, unknown>(jobs, { since: new Date(0) }, ({ since }) =>
    prepared(jobs, question(jobs, claim, since)),
  )
  return async (db, since) => answer(await textsOf(db, since === undefined ? whole : from({ since })))
}

/** The statement that asks it. */
export function question(jobs: Jobs, claim: Claim, since?: Date) {
  return jobs.db.selectNoFrom(asText(nextDue(jobs, claim, since))).compile()
}

function answer([due]: readonly (string | null)[]): number | undefined {
  return due === undefined || due === null ? undefined : Number(due)
}

/** The same as part of a statement: milliseconds, or null where none waits. */
export function nextDue(jobs: Jobs, claim: Claim, since?: Date | Expression<Date>) {
  return jobs.db
    .selectFrom(earliest(jobs, claim, since).as(own.next))
    .select((eb) => dueIn(eb.ref(`${own.next}.run_at`)))
    .$asScalar()
}

function dueIn(time: Expression<unknown>) {
  return millisecondsUntil(time).$castTo<number | null>().as('due')
}

/** So many jobs are looked at beside paused keys: where none of them is another's, it is asked again when the last is due. */
const mostAmongPaused = 100

/** By the index that is ordered by time: with `priority` that is the due index. */
function earliest(
  jobs: Jobs,
  claim: Claim,
  since?: Date | Expression<Date>,
): AliasableExpression<{ run_at: Date | string }> {
  if (!hasPaused(claim)) return firstOf(waitingJobs(jobs, claim), claim, since, 1).select('run_at')
  const isOthers = isNotPaused(claim.paused).as(own.isOthers)
  const among = firstOf(waitingAndPaused(jobs, claim), claim, since, mostAmongPaused).select(['run_at', isOthers])
  return jobs.db
    .selectFrom(among.as(own.due))
    .select(earliestOf(sql.ref('run_at'), sql.ref(own.isOthers), mostAmongPaused).as('run_at'))
}

/** In the order of time. */
function firstOf<Selected>(
  rows: SelectQueryBuilder<JobDatabase, JobAlias, Selected>,
  claim: Claim,
  since: Date | Expression<Date> | undefined,
  most: number,
) {
  const asOrdered = (time: Expression<unknown>) => (isByPriority(claim) ? inDueOrder(time) : time)
  const time = asOrdered(column('run_at'))
  const from = since && asOrdered(isExpression(since) ? since : timestamp(since))
  const some = from === undefined ? rows : rows.where(job(time, '>=', from))
  return some.orderBy(time).limit(most)
}
