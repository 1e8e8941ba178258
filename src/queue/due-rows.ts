import type { Expression, SqlBool } from 'kysely'
import { type BackoffRule, isRetryDue } from '../predicates/backoff.js'
import { isDue } from '../predicates/claimable.js'
import { now } from '../predicates/clock.js'
import { column, job } from '../predicates/column.js'
import { inDueOrder } from '../predicates/due-order.js'
import { hasStatus } from '../predicates/status.js'
import type { Jobs } from '../schema/job-database.js'
import { type Claim, waitingJobs } from './claim.js'
import { toldOf } from './locked.js'

/** The next rows to take, locked; rows that another worker is taking are passed over. */
export function nextRows(
  jobs: Jobs,
  claim: Claim,
  limit: number | Expression<number>,
  isFromCursor?: Expression<SqlBool>,
) {
  return toldOf(jobs, dueRows(jobs, claim, limit, isFromCursor))
    .forNoKeyUpdate()
    .skipLocked()
}

/** The same, unlocked. */
export function dueRows(
  jobs: Jobs,
  claim: Claim,
  limit: number | Expression<number>,
  isFromCursor?: Expression<SqlBool>,
) {
  return pastBackoff(claim, waitingJobs(jobs, claim).where(isDue()))
    .$call((query) => (isFromCursor === undefined ? query : query.where(isFromCursor)))
    .orderBy('run_at')
    .limit(limit)
}

/** Whatever is due, to be put in the order of the due index. */
export function dueOfAll(jobs: Jobs, claim: Claim) {
  const isInDueIndex = job(inDueOrder(column('run_at')), '<=', inDueOrder(now()))
  return pastBackoff(claim, waitingJobs(jobs, claim).where(isInDueIndex))
}

function pastBackoff({ retryBackoff }: Claim, due: ReturnType<typeof waitingJobs>) {
  return due.$if(retryBackoff !== undefined, (query) => query.where(isPastSeedBackoff(retryBackoff)))
}

/** Whether a row in retry has waited as long as workers of IHP 1.4 have it wait. */
export function isPastSeedBackoff(rule: BackoffRule | undefined) {
  return rule === undefined ? job.lit(true) : job.or([hasStatus(['job_status_not_started']), isRetryDue(rule)])
}
