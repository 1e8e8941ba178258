import type { Jobs } from '../../schema/job-database.js'
import type { Attempt, Holder } from '../run/attempt.js'

/** What a transaction does that holds jobs: from their claim until its end. */
export interface JobHold extends Holder {
  /** Holds these. */
  take(attempts: readonly Attempt[]): void
  /** Goes on until the transaction is to commit. @throws where it is to be rolled back */
  hold(trx: Jobs['db']): Promise<void>
  /** It has committed. */
  committed(): void
  /** It was rolled back, most likely. */
  failed(error: unknown): void
}
