import type { Outcome } from '../../queue/outcome.js'
import type { Attempt } from '../run/attempt.js'
import { handlerCalls } from '../run/handler-calls.js'
import type { MakeHandling } from '../run/handling.js'
import type { WorkerScope } from '../scope.js'
import type { AnyBatchHandler, BatchCall } from './batch-call.js'
import { batchOutcomes } from './batch-outcomes.js'
import { BatchSignal } from './batch-signal.js'
import { BatchTransactions } from './batch-transactions.js'

/** Calls a handler for batches of jobs. */
export function inBatches(handler: AnyBatchHandler): MakeHandling {
  return (scope, settler) => {
    const called = handlerCalls(scope)
    const { worker, settings } = scope
    const call: BatchCall = (attempts, given) => {
      const jobs = attempts.map(({ job }) => job)
      return called(attempts, async () => handler(jobs, { ...given, worker, logger: settings.logger }))
    }
    const size = settings.batch?.size ?? 1
    if (settings.hold === 'lease') {
      const outcomeOf = (attempt: Attempt, outcomes: unknown) => (outcomes as Outcomes).get(attempt) as Outcome // of each, as made below
      return { size, call: (attempts) => byLeases(scope, attempts, call), outcomeOf }
    }
    const transactions = new BatchTransactions(scope, settler, call)
    return { size, call: (attempts) => transactions.call(attempts), outcomeOf: () => ({ kind: 'released' }) } // all are decided by then
  }
}

type Outcomes = ReadonlyMap<Attempt, Outcome>

async function byLeases(scope: WorkerScope, attempts: readonly Attempt[], call: BatchCall): Promise<Outcomes> {
  const { signal } = new BatchSignal(attempts)
  return batchOutcomes(scope, attempts, await call(attempts, { signal }), false)
}
