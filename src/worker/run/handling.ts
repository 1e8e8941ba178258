import type { Outcome } from '../../queue/outcome.js'
import type { WorkerScope } from '../scope.js'
import type { Settler } from '../settle/settler.js'
import type { Attempt } from './attempt.js'
import { type AnyHandler, contextOf } from './context.js'
import { handlerCalls } from './handler-calls.js'
import { outcomeOfValue } from './outcome.js'

/** How a worker's handler is called, and what the value that it returned says of each attempt. */
export interface Handling {
  /** The most attempts of one call. */
  readonly size: number
  /** It may throw. */
  call(attempts: readonly Attempt[]): unknown
  /** It may throw. */
  outcomeOf(attempt: Attempt, returned: unknown): Outcome
}

/** Made when the worker starts: handlers begin in the async context of that moment. */
export type MakeHandling = (scope: WorkerScope, settler: Settler) => Handling

/** Calls a handler for each job by itself. */
export function oneByOne(handler: AnyHandler): MakeHandling {
  return (scope) => {
    const called = handlerCalls(scope)
    return {
      size: 1,
      call: (attempts) => {
        const attempt = attempts[0] as Attempt // a call has one
        return called(attempts, () => handler(attempt.job, contextOf(scope, attempt)))
      },
      outcomeOf: (attempt, returned) => outcomeOfValue(scope, attempt, returned),
    }
  }
}
