/**
 * What comes within so many milliseconds.
 * @throws what `late` makes where it does not; the reason of the signal when that aborts first
 */
export async function within<T>(
  milliseconds: number,
  coming: Promise<T>,
  late: () => Error,
  signal?: AbortSignal,
): Promise<T> {
  const ended = Promise.withResolvers<never>()
  const timer = setTimeout(() => ended.reject(late()), milliseconds)
  const stop = () => ended.reject(signal?.reason)
  if (signal?.aborted) stop()
  signal?.addEventListener('abort', stop)
  coming.catch(() => {}) // where it comes too late
  try {
    return await Promise.race([coming, ended.promise])
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', stop)
  }
}
