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
    const timer = setTimeout(() => {
      over = true
      reject(new DeadlineError(`No answer to ${doing} within ${Math.round(limit)} ms`))
    }, limit)
    promise.then(
      (value) => {
        clearTimeout(timer)
        if (over) late?.(value)
        else resolve(value)
      },
      (error: unknown) => {
        clearTimeout(timer)
        reject(error)
      },
    )
  })
}
