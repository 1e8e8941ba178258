import type { Catalog } from './catalog.js'
import { dueOrder } from './names.js'
import { type JobStatus, pendingStatuses } from './statuses.js'

/** What of a job table can be read by an index, as those of `createJobIndexes` are, whatever their names. */
export interface KnownIndexes {
  /** Pending jobs in the order of time: by `run_at` itself, or by the expression of the due index; undefined: not at all. */
  readonly due: 'run_at' | 'due order' | undefined
  readonly running: boolean
  /** Those that failed or timed out, by their status and when they ended. */
  readonly failed: boolean
}

/** Whether there is an index that begins with a column, over these statuses. A condition beside them is not looked for. */
export function hasIndex(
  { indexes }: Pick<Catalog, 'indexes'>,
  first: string,
  statuses: readonly JobStatus[],
): boolean {
  return indexes.some(({ valid, columns: [leading], predicate }) => {
    const leads = leading === first || leading === `${first} desc`
    return valid && leads && statuses.every((status) => predicate?.includes(`'${status}'`))
  })
}

/** The same over all jobs of these statuses: an index with one more condition does not have them. */
export function knownIndexes({ indexes }: Catalog): KnownIndexes {
  const whole = { indexes: indexes.filter(({ predicate }) => !/ (?:and|or) /i.test(predicate ?? '')) }
  const failed = whole.indexes.filter(({ columns }) => columns.join() === 'status,updated_at')
  const byRunAt = hasIndex(whole, 'run_at', pendingStatuses) ? 'run_at' : undefined
  return {
    due: hasIndex(whole, dueOrder, pendingStatuses) ? 'due order' : byRunAt,
    running: hasIndex(whole, 'locked_by', ['job_status_running']),
    failed: hasIndex({ indexes: failed }, 'status', ['job_status_failed', 'job_status_timed_out']),
  }
}
