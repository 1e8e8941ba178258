import { type Expression, isExpression } from 'kysely'
import { millisecondsUntil, timestamp } from '../predicates/clock.js'
import { column, job } from '../predicates/column.js'
import { inDueOrder } from '../predicates/due-order.js'
import type { Duration } from '../schema/duration.js'
import { type Jobs, jobsOf } from '../schema/job-database.js'
import type { JobTable, OptionalColumn, ReadonlyQueryable } from '../schema/job-table.js'
import { own } from '../schema/own-names.js'
import { asText, textsOf } from '../schema/text.js'
import { type Claim, isByPriority, waitingJobs } from './claim.js'
import { compiled } from './compiled.js'
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
  const whole = prepared(question(jobs, claim))
  const from = compiled<{ since: Date }, unknown>(jobs, { since: new Date(0) }, ({ since }) =>
    prepared(question(jobs, claim, since)),
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

/** By the index that is ordered by time: with `priority` that is the due index. */
function earliest(jobs: Jobs, claim: Claim, since?: Date | Expression<Date>) {
  const asOrdered = (time: Expression<unknown>) => (isByPriority(claim) ? inDueOrder(time) : time)
  const time = asOrdered(column('run_at'))
  return waitingJobs(jobs, claim)
    .select('run_at')
    .$call((query) =>
      since === undefined
        ? query
        : query.where(job(time, '>=', asOrdered(isExpression(since) ? since : timestamp(since)))),
    )
    .orderBy(time)
    .limit(1)
}
