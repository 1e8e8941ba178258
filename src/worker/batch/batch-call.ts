import type { Jobs } from '../../schema/job-database.js'
import type { Logger } from '../logger.js'
import type { Attempt } from '../run/attempt.js'

/** What a batch handler gets, as the parts below the door know it. */
export interface AnyBatchContext {
  readonly signal: AbortSignal
  readonly worker: string
  readonly logger: Logger
  readonly trx?: Jobs['db']
}

export type AnyBatchHandler = (jobs: readonly object[], context: AnyBatchContext) => unknown

/** Calls the user's handler. */
export type BatchCall = (
  attempts: readonly Attempt[],
  given: Pick<AnyBatchContext, 'signal' | 'trx'>,
) => Promise<unknown>
