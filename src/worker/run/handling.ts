import type { Outcome } from '../../queue/outcome.js'
import type { WorkerScope } from '../scope.js'
import type { Settler } from '../settle/settler.js'
import { callInOwnContext } from './async-context.js'
import type { Attempt } from './attempt.js'
import { type AnyHandler, contextOf } from './context.js'
import { outcomeOfValue } from './outcome.js'

/** How a worker's handler is called, and what the value that it returned says of each attempt. */
export interface Handling {
  /** The most attempts of one call. */
  readonly size: number
  /** It may throw. Whatever wraps handlers wraps this. */
  call(attempts: readonly Attempt[]): unknown
  /** It may throw. */
  outcomeOf(attempt: Attempt, returned: unknown): Outcome
}

/** Made when the worker starts: handlers begin in the async context of that moment. */
export type MakeHandling = (scope: WorkerScope, settler: Settler) => Handling

/** Calls a handler for each job by itself. */
export function oneByOne(handler: AnyHandler): MakeHandling {
  return (scope) => {
    const inOwnContext = callInOwnContext()
    return {
      size: 1,
      call: (attempts) => {
        const attempt = attempts[0] as Attempt // a call has one
        return inOwnContext(() => handler(attempt.job, contextOf(scope, attempt)))
      },
      outcomeOf: (attempt, returned) => outcomeOfValue(scope, attempt, returned),
    }
  }
}
