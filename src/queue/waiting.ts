import { sql } from 'kysely'
import { isClaimable } from '../predicates/claimable.js'
import { millisecondsUntil } from '../predicates/clock.js'
import { column } from '../predicates/column.js'
import { inDueOrder } from '../predicates/due-order.js'
import { isPending, isRunning } from '../predicates/status.js'
import type { Jobs } from '../schema/job-database.js'
import type { KnownIndexes } from '../schema/known-indexes.js'
import { own } from '../schema/own-names.js'
import { asJsonText, textsOf } from '../schema/text.js'
import { countBound } from './count.js'

/** How much waits and runs. Each number is counted up to {@link countBound}: so many means so many or more. */
export interface Waiting {
  /** Jobs that a worker could claim now, and all that are pending. */
  readonly due: number
  readonly pending: number
  readonly running: number
  /** Milliseconds since the job that waits longest became due; null: none is due. */
  readonly oldestWait: number | null
}

/** Looks by the indexes; where one is missing, as it would read the whole table, it doesn't: undefined. */
export async function countWaiting(jobs: Jobs, indexes: KnownIndexes): Promise<Waiting | undefined> {
  if (indexes.due === undefined || !indexes.running) return undefined
  const runAt = column('run_at')
  const pending = jobs.db
    .selectFrom(jobs.table)
    .select(['run_at', sql<boolean>`${isClaimable()}`.as('claimable')])
    .where(isPending())
    .orderBy(indexes.due === 'run_at' ? runAt : inDueOrder(runAt))
    .limit(countBound)
  const running = jobs.db.selectFrom(jobs.table).select('id').where(isRunning()).orderBy('locked_by').limit(countBound)
  const wait = millisecondsUntil(sql`min(run_at) filter (where claimable)`)
  const runningCount = jobs.db.selectFrom(running.as(own.page)).select(sql<number>`count(*)`.as(own.count)).$asScalar()
  const counts = [sql`count(*) filter (where claimable)`, sql`count(*)`, runningCount, sql`(-${wait})::text`]
  const query = jobs.db.selectFrom(pending.as(own.counted)).select(asJsonText(counts)).compile()
  const [text] = await textsOf(jobs.db, query)
  const [due, all, runs, oldest] = JSON.parse(text ?? '') as [number, number, number, string | null] // just made
  return { due, pending: all, running: runs, oldestWait: oldest === null ? null : finite(Number(oldest)) }
}

/** A time of minus infinity is due for ever. */
const finite = (wait: number): number => (Number.isFinite(wait) ? Math.max(0, wait) : Number.MAX_SAFE_INTEGER)
