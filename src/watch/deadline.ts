import { after } from './timer.js'

/** A statement that did not come back in time; its connection may be cut off, and what became of it is unknown. */
export class DeadlineError extends Error {
  override readonly name = 'DeadlineError'
  readonly code = 'DEADLINE'
}

/**
 * Waits for a promise, but no longer than so many milliseconds: a connection that was cut off without a word never
 * answers. The promise itself goes on; a late value goes to `late`.
 * @throws DeadlineError
 */
export function withDeadline<Value>(
  promise: Promise<Value>,
  limit: number,
  doing: string,
  late?: (value: Value) => void,
): Promise<Value> {
  return new Promise((resolve, reject) => {
    let over = false
    const timer = after(limit, () => {
      over = true
      reject(new DeadlineError(unanswered(doing, limit)))
    })
    promise.finally(() => timer.cancel()).then((value) => (over ? late?.(value) : resolve(value)), reject)
  })
}

/** Whether a promise resolves in so many milliseconds. */
export async function inTime(promise: Promise<unknown>, limit: number): Promise<boolean> {
  return withDeadline(promise, limit, 'stop').then(
    () => true,
    () => false,
  )
}

function unanswered(doing: string, limit: number): string {
  return `No answer to ${doing} within ${Math.round(limit)} ms: the connection is cut off, the row or table is locked, or all connections of the pool are taken (pg's default is 10: give it more than handlers use at once)`
}
