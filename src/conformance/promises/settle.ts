import { randomUUID } from 'node:crypto'
import type { Outcome } from '../../queue/outcome.js'
import { settle as settleJobs } from '../../queue/settle.js'
import { leaseOf } from '../../schema/row.js'
import type { JobStatus } from '../../schema/statuses.js'
import { expectSame } from '../broken.js'
import type { Promised } from '../promised.js'
import { table } from '../suite-table.js'

/** Each outcome, and what is then in the row: its status, and how many attempts count. */
const outcomes: readonly [Outcome, JobStatus, number][] = [
  [{ kind: 'succeeded' }, 'job_status_succeeded', 1],
  [{ kind: 'failed', error: 'no such user' }, 'job_status_failed', 1],
  [{ kind: 'timed_out', error: 'too slow' }, 'job_status_timed_out', 1],
  [{ kind: 'retry', error: 'busy', delay: 60_000 }, 'job_status_retry', 1],
  [{ kind: 'snoozed', delay: 60_000 }, 'job_status_not_started', 0],
  [{ kind: 'cancelled', reason: 'not any more' }, 'job_status_cancelled', 1],
  [{ kind: 'released' }, 'job_status_not_started', 0],
]

export const settle: Promised = {
  name: 'settle',
  says: 'Each outcome of an attempt is written as it is: succeeded, failed, timed out, retry, snoozed, cancelled, released',
  run: async (scene) => {
    const { known } = scene.stage
    const worker = randomUUID()
    await scene.enqueue(outcomes.length)
    const claimed = await scene.claim(outcomes.length, worker)
    expectSame('jobs that were claimed', claimed.length, outcomes.length)
    for (const job of claimed) {
      const [outcome, status, attempts] = outcomes[Number(job.label)] as (typeof outcomes)[number] // there is a job for each
      const leased = { ...leaseOf(job), ...outcome }
      const written = await scene.until('a settle', settleJobs(scene.db, table, [leased], { worker, ...known }))
      expectSame(`${outcome.kind}, written`, written.length, 1)
      const row = await scene.row(job.label)
      const isLater = 'delay' in outcome
      expectSame(
        outcome.kind,
        [row.status, row.attempts_count, row.locked_by, row.run_at > row.created_at || !isLater],
        [status, attempts, null, true],
      )
    }
    return undefined
  },
}
