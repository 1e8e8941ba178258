import { isServerAway } from '../pg/error-class.js'
import type { Pause } from '../queue/pauses.js'
import type { ListenerState } from '../watch/shared-listener.js'

/** How a worker is. */
export interface WorkerHealth {
  readonly state: 'new' | 'starting' | 'running' | 'stopping' | 'stopped'
  /** It runs, and no longer than a lease ago a fetch came back. */
  readonly alive: boolean
  /** No fetch comes back as the server is away or does not answer: another process would meet the same. */
  readonly serverAway: boolean
  /** When the last fetch came back. */
  readonly lastFetch: Date | undefined
  /** `off` where no `listen` was given; anything but `listening` means that polling does the work. */
  readonly listener: ListenerState | 'off'
  /** Handlers that have not ended. */
  readonly running: number
  /** Handlers that go on though their signal was aborted a lease ago: by their timeout, a lost lease or a cancel. Each takes a slot. */
  readonly stuck: number
  /** Milliseconds the oldest lease has left; undefined where none is held. */
  readonly leaseMargin: number | undefined
  /** Why no job begins: the worker is paused, by `pause()`, or its table; undefined: it is not. */
  readonly paused: 'worker' | 'table' | undefined
  /** What of its table is paused, as it knows it: the table, keys of it. */
  readonly pauses: readonly Pause[]
}

/** How the fetches of a worker go. */
export function fetchHealth(
  {
    failing,
    lastFetch,
  }: { readonly failing: { since: number; error: unknown } | undefined; readonly lastFetch: Date | undefined },
  lease: number,
): Pick<WorkerHealth, 'alive' | 'serverAway' | 'lastFetch'> {
  if (failing === undefined) return { alive: true, serverAway: false, lastFetch }
  return { alive: performance.now() - failing.since < lease, serverAway: isServerAway(failing.error), lastFetch }
}
