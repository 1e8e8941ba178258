/** What a job does; the same function for every contender. */
export const handlers = {
  nothing: () => {},
  wait: () => new Promise<void>((resolve) => setTimeout(resolve, 5)),
  compute: () => {
    const end = performance.now() + 1
    while (performance.now() < end);
  },
} as const

export type HandlerName = keyof typeof handlers

/** Jobs a second of a handler without any queue: so many lanes, each one call after the other. */
export async function ideal(name: HandlerName, lanes: number, jobs: number): Promise<number> {
  const start = performance.now()
  const left = Array.from({ length: jobs }).values()
  const lane = async () => {
    for (const _ of left) await handlers[name]()
  }
  await Promise.all(Array.from({ length: lanes }, lane))
  return jobs / ((performance.now() - start) / 1000)
}
