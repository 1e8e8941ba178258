import type { Outcome } from '../../queue/outcome.js'
import { LeaseLostError } from '../run/abort-reason.js'
import type { Attempt } from '../run/attempt.js'
import type { WorkerScope } from '../scope.js'

/** Tells of an outcome that is written. */
export function tellOutcome({ tell }: WorkerScope, { job, attempt }: Attempt, outcome: Outcome): void {
  const about = { job, attempt }
  switch (outcome.kind) {
    case 'succeeded':
    case 'released':
      tell(outcome.kind, about)
      break
    case 'retry':
    case 'failed':
      tell(outcome.kind, { ...about, error: outcome.error })
      break
    case 'timed_out':
      tell('timedOut', { ...about, error: outcome.error })
      break
    case 'snoozed':
      tell('snoozed', { ...about, delay: outcome.delay })
      break
    case 'cancelled':
      tell('cancelled', { ...about, reason: outcome.reason })
      break
  }
}

/** The handler learns it by its signal, whoever listens by an event. */
export function tellLost(scope: WorkerScope, attempt: Attempt, why: string): void {
  const reason = new LeaseLostError(`Job ${attempt.id}, attempt ${attempt.attempt}: ${why}`)
  attempt.lose(reason)
  scope.tell('lost', { job: attempt.job, attempt: attempt.attempt, reason })
}
