/** Aborts when the program is asked to end, or nobody reads it any more; it then ends in its own time, and leaves nothing behind. */
export function interruption(): AbortSignal {
  const controller = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => controller.abort())
  process.stdout.on('error', () => controller.abort())
  return controller.signal
}
