import { settle } from '../../queue/settle.js'
import { realJobsOf } from '../../schema/job-database.js'
import type { Queryable } from '../../schema/job-table.js'
import type { Logger } from '../logger.js'
import type { WorkerScope } from '../scope.js'
import { LeaseLostError } from './abort-reason.js'
import type { Attempt } from './attempt.js'

/** What a handler gets, as the parts below the door know it. */
export interface AnyContext {
  readonly signal: AbortSignal
  readonly attempt: number
  readonly worker: string
  readonly logger: Logger
  complete(trx: Queryable<unknown>, result?: unknown): Promise<void>
}

export type AnyHandler = (job: object, context: AnyContext) => unknown

/** Plain values: a getter costs seven times as much as the signal, and would be lost where a context is spread. */
export function contextOf(scope: WorkerScope, attempt: Attempt): AnyContext {
  return {
    signal: attempt.signal,
    attempt: attempt.attempt,
    worker: scope.worker,
    logger: scope.settings.logger,
    complete: (trx, result) => complete(scope, attempt, trx, result),
  }
}

/** Settles within the user's transaction, by the table's real name, whatever plugins their handle has. */
async function complete(scope: WorkerScope, attempt: Attempt, trx: Queryable<unknown>, result: unknown): Promise<void> {
  if (!trx.isTransaction) {
    throw new TypeError(
      'context.complete(trx) takes a transaction: call it within db.transaction().execute(async (trx) => ...)',
    )
  }
  const { key } = scope.jobs
  const jobs = realJobsOf(trx, scope.table)
  const { worker, columns, settings } = scope
  const options = { worker, columns, key, deleteSucceeded: settings.deleteSucceeded }
  const outcome = { id: attempt.id, attempt: attempt.attempt, key: attempt.key, kind: 'succeeded', result } as const
  const written = attempt.holdsLease ? await settle(jobs.db, jobs.name, [outcome], options) : []
  if (written.length === 0) {
    const why = attempt.completed
      ? 'already completed by this attempt'
      : 'no longer its lease; nothing may be completed'
    const lost = new LeaseLostError(`Job ${attempt.id}, attempt ${attempt.attempt}: ${why}`)
    if (!attempt.completed) attempt.abort(lost)
    throw lost
  }
  attempt.completed = true
}
