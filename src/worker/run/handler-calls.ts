import type { WorkerScope } from '../scope.js'
import { callInOwnContext } from './async-context.js'
import type { Attempt } from './attempt.js'

/** Returns what calls handlers: each in an async context of its own, in which the worker's observer sees it, where there is one. */
export function handlerCalls({
  observer,
  settings,
}: WorkerScope): <Returned>(attempts: readonly Attempt[], call: () => Returned) => Returned {
  const inOwnContext = callInOwnContext()
  if (observer === undefined) return (_, call) => inOwnContext(call)
  return (attempts, call) => inOwnContext(() => observer.handle(attempts, call, settings.describeError))
}
