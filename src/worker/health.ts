import type { Pause } from '../queue/pauses.js'
import type { ListenerState } from '../watch/shared-listener.js'

/** How a worker is. */
export interface WorkerHealth {
  readonly state: 'new' | 'starting' | 'running' | 'stopping' | 'stopped'
  /** It runs, and no longer than a lease ago a fetch came back. */
  readonly alive: boolean
  /** When the last fetch came back. */
  readonly lastFetch: Date | undefined
  /** `off` where no `listen` was given; anything but `listening` means that polling does the work. */
  readonly listener: ListenerState | 'off'
  /** Handlers that have not ended. */
  readonly running: number
  /** Milliseconds the oldest lease has left; undefined where none is held. */
  readonly leaseMargin: number | undefined
  /** Why no job begins: the worker is paused, by `pause()`, or its table; undefined: it is not. */
  readonly paused: 'worker' | 'table' | undefined
  /** What of its table is paused, as it knows it: the table, keys of it. */
  readonly pauses: readonly Pause[]
}
