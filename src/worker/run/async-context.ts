import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks'

/**
 * Returns a function that calls others in the async context of this moment, each in one of its own: what one of them enters
 * (`AsyncLocalStorage.enterWith`) no other sees. The snapshot alone would not do: up to Node 22 it is one resource for
 * all calls, and `enterWith` writes to it.
 */
export function callInOwnContext(): <Value>(call: () => Value) => Value {
  const inThisContext = AsyncLocalStorage.snapshot()
  return (call) => inThisContext(() => new AsyncResource('kysely-jobs.run').runInAsyncScope(call))
}
