/** A claimed job, as far as it matters here. */
interface Claimed {
  /** How often in a row it was interrupted before: taken over from a worker that was gone. */
  readonly interruptions: number
}

/** What becomes of claimed jobs. */
export interface Sorted<Job extends Claimed> {
  /** To be run alone. */
  readonly alone?: Job
  /** To be run before all that waits. */
  readonly first: readonly Job[]
  readonly others: readonly Job[]
  readonly released: readonly Job[]
}

/**
 * What becomes of claimed jobs, of which some were interrupted: their workers have died. Interrupted once, a job most likely
 * was only beside the one that killed its worker. It runs like any other, but never waits behind others, where it could
 * be interrupted again without having begun: what has no free slot is released. Interrupted twice in a row or more, it runs alone.
 */
export function sorted<Job extends Claimed>(jobs: readonly Job[], freeSlots: number): Sorted<Job> {
  const interrupted = jobs.filter(({ interruptions }) => interruptions > 0)
  if (interrupted.length === 0) return { first: [], others: jobs, released: [] }
  const alone = interrupted.find(({ interruptions }) => interruptions > 1)
  if (alone !== undefined) return { alone, first: [], others: [], released: jobs.filter((job) => job !== alone) }
  return {
    first: interrupted.slice(0, freeSlots),
    others: jobs.filter(({ interruptions }) => interruptions === 0),
    released: interrupted.slice(freeSlots),
  }
}
