import type { FoundJob } from './found-job.js'

/** An entry of the column `errors`, as the queue writes it; other hands may have written anything. */
export interface FailedAttempt {
  readonly attempt?: unknown
  readonly at?: unknown
  readonly error?: unknown
}

/** Something that has become of a job. */
export interface Happening {
  readonly kind: 'created' | 'due' | 'started' | 'locked' | 'failed' | 'ended'
  /** ISO 8601; null: the table does not say when. */
  readonly at: string | null
  /** Which attempt, from 1, where that is known. */
  readonly attempt?: number
  readonly error?: string
}

/**
 * What has become of a job, the earliest first, as far as its row tells: of attempts before the last one only their errors are kept, in
 * tables with the column `errors`.
 */
export function timelineOf(job: FoundJob, errors: readonly FailedAttempt[]): Happening[] {
  const hasEnded = !['running', 'due', 'scheduled', 'retrying'].includes(job.state ?? '')
  const failures = errors.map(failureOf).filter((each) => each !== undefined)
  const isRunning = job.state === 'running'
  return [
    { kind: 'created', at: job.createdAt } as const,
    ...failures,
    ...(failures.length === 0 ? lastFailure(job) : []),
    { kind: 'due', at: job.runAt } as const,
    ...(job.startedAt === null ? [] : [{ kind: 'started', at: job.startedAt, attempt: job.attempts } as const]),
    ...(isRunning ? [{ kind: 'locked', at: job.lockedAt, attempt: job.attempts } as const] : []),
    ...(hasEnded ? [{ kind: 'ended', at: job.finishedAt ?? job.updatedAt } as const] : []),
  ].toSorted((a, b) => timeOf(a) - timeOf(b))
}

function failureOf(entry: FailedAttempt | null): Happening | undefined {
  if (typeof entry !== 'object' || entry === null) return undefined
  const { attempt, at, error } = entry
  return {
    kind: 'failed',
    at: typeof at === 'string' ? at : null,
    ...(typeof attempt === 'number' && { attempt }),
    error: typeof error === 'string' ? error : JSON.stringify(error ?? null),
  }
}

/** Where no history is kept, the last error is all that is known. */
function lastFailure({ error, values, attempts, updatedAt, status }: FoundJob): Happening[] {
  const text = values.get('last_error')?.text ?? error.text
  if (text === null || attempts === 0 || status === 'job_status_cancelled') return []
  return [{ kind: 'failed', at: updatedAt, attempt: attempts, error: text }]
}

/** What has no time comes first, and what never comes last. */
function timeOf({ at }: Happening): number {
  if (at === 'infinity') return Number.POSITIVE_INFINITY
  const time = Date.parse(at ?? '')
  return Number.isNaN(time) ? Number.NEGATIVE_INFINITY : time
}
