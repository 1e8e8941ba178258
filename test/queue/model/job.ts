import type { JobStatus } from 'kysely-jobs'
import { finalStatuses, pendingStatuses } from 'kysely-jobs/queue'

/**
 * DESIGN section 2, small: a job as the queue sees it, and what each verb does to it. Each function gives the job as it is
 * afterwards, or undefined where the verb leaves it alone. Times are whole hours of a clock that only the test moves on.
 */
export interface ModelJob {
  readonly status: JobStatus
  /** `attempts_count`. */
  readonly attempts: number
  /** `locked_by`: who holds it. */
  readonly worker: string | null
  /** `locked_at`: when it was claimed or renewed last; null where it holds the count of interruptions. */
  readonly lockedAt: number | null
  /** How often in a row it was taken over from a worker that was gone. */
  readonly interruptions: number
  /** `run_at`: when it is due. */
  readonly runAt: number
  /** `updated_at`: when an outcome was written last. */
  readonly updatedAt: number
  readonly lastError: string | null
}

/** What a worker got with a claim, and shows when it writes. */
export interface ModelLease {
  readonly job: string
  readonly worker: string
  readonly attempt: number
}

export type Kind = 'succeeded' | 'retry' | 'failed' | 'timed_out' | 'snoozed' | 'cancelled' | 'released'

/** The id of a worker of ours, whose lease is half an hour. */
export const ours = '001b7740-6b6a-8a51-9a3e-3a4f3c1f2a10'

/** From this attempt on an expired lease ends its job. */
export const maxAttempts = 2

const isPending = ({ status }: ModelJob) => (pendingStatuses as readonly JobStatus[]).includes(status)
const isFinal = ({ status }: ModelJob) => (finalStatuses as readonly JobStatus[]).includes(status)
const isRunning = ({ status }: ModelJob) => status === 'job_status_running'

export function enqueued(now: number, delay: number): ModelJob {
  const nothing = { attempts: 0, worker: null, lockedAt: null, interruptions: 0, lastError: null }
  return { status: 'job_status_not_started', ...nothing, runAt: now + delay, updatedAt: now }
}

export const isClaimable = (job: ModelJob, now: number) => isPending(job) && job.worker === null && job.runAt <= now

export function claimed(job: ModelJob, now: number, worker: string): ModelJob | undefined {
  if (!isClaimable(job, now)) return undefined
  const interruptions = worker === ours ? job.interruptions : 0 // the id of any other can't say them
  return { ...job, status: 'job_status_running', attempts: job.attempts + 1, worker, lockedAt: now, interruptions }
}

/** The fence. */
const holds = (job: ModelJob, { worker, attempt }: ModelLease) => job.worker === worker && job.attempts === attempt

export function renewed(job: ModelJob, now: number, lease: ModelLease): ModelJob | undefined {
  return holds(job, lease) ? { ...job, lockedAt: now } : undefined
}

export function settled(job: ModelJob, now: number, lease: ModelLease, kind: Kind, delay: number) {
  if (!holds(job, lease)) return undefined
  const free: ModelJob = { ...job, worker: null, updatedAt: now, interruptions: 0 }
  const before = job.attempts - 1
  const handedBack: ModelJob = {
    ...free,
    attempts: before,
    status: before === 0 ? 'job_status_not_started' : 'job_status_retry',
  }
  const outcomes: Record<Kind, ModelJob> = {
    succeeded: { ...free, status: 'job_status_succeeded' },
    retry: { ...free, status: 'job_status_retry', runAt: now + delay, lastError: 'it went wrong' },
    failed: { ...free, status: 'job_status_failed', lastError: 'it went wrong' },
    timed_out: { ...free, status: 'job_status_timed_out', lastError: 'it went wrong' },
    snoozed: { ...handedBack, runAt: now + delay },
    cancelled: { ...free, status: 'job_status_cancelled', lastError: 'Cancelled: enough' },
    released: {
      ...handedBack,
      interruptions: job.interruptions,
      lockedAt: job.interruptions > 0 ? null : job.lockedAt,
    },
  }
  return outcomes[kind]
}

/** A lease is as long as the clock's step. */
export function rescued(job: ModelJob, now: number): ModelJob | undefined {
  if (!isRunning(job) || job.lockedAt === null || job.lockedAt >= now) return undefined
  const interruptions = job.interruptions + 1
  const lastError = `Lease expired (${interruptions} in a row)`
  const isHandedBack = interruptions === 2
  const taken = {
    ...job,
    ...{ worker: null, lockedAt: null, updatedAt: now, lastError, interruptions },
    attempts: job.attempts - (isHandedBack ? 1 : 0),
  }
  return job.attempts < maxAttempts || isHandedBack
    ? { ...taken, status: 'job_status_retry', runAt: Math.min(job.runAt, now) }
    : { ...taken, status: 'job_status_failed' }
}

export function cancelled(job: ModelJob, now: number): ModelJob | undefined {
  if (isFinal(job)) return undefined
  const interruptions = isRunning(job) ? 0 : job.interruptions
  return {
    ...job,
    ...{ status: 'job_status_cancelled', worker: null, updatedAt: now, interruptions },
    lastError: 'Cancelled: on request',
  }
}

export function retried(job: ModelJob, now: number, delay: number): ModelJob | undefined {
  if (isRunning(job)) return undefined
  const anew = enqueued(now, delay)
  return { ...anew, lastError: job.lastError }
}

export function rescheduled(job: ModelJob, now: number, delay: number): ModelJob | undefined {
  return isPending(job) ? { ...job, runAt: now + delay, updatedAt: now } : undefined
}

/** Null: it is gone. */
export const deleted = (job: ModelJob) => (isRunning(job) ? undefined : null)

/** Final for a step of the clock. */
export const isOld = (job: ModelJob, now: number) => isFinal(job) && job.updatedAt < now
