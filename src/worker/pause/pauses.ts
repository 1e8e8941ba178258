import type { PausedKey } from '../../queue/paused-keys.js'
import type { KeptPause, Pause } from '../../queue/pauses.js'
import { after, type Timer } from '../../watch/timer.js'
import type { WorkerEvents } from '../events.js'

/** What a worker does when something is paused or resumed. */
interface PauseHooks {
  /** Fewer jobs may begin: what was claimed and has not begun is another's. */
  paused(): void
  /** More may. */
  resumed(): void
}

/** Why jobs wait. */
type Paused = WorkerEvents<never>['paused'][0]

/** A pause, and until when (monotonic milliseconds) it goes on. */
interface Lasting {
  readonly pause: Pause
  readonly ends: number
}

const none: readonly PausedKey[] = []

/**
 * What of a worker's table is paused, as it was read last, and whether the worker itself is: what may be claimed and begun goes by this. A
 * pause that has its time ends here by itself.
 */
export class Pauses {
  readonly #tell: (event: 'paused' | 'resumed', payload: Paused) => void
  #hooks: PauseHooks | undefined
  #isOpen = false
  #isClosed = false
  #byWorker = false
  #lasting: readonly Lasting[] = []
  /** What goes on now, by what it is of. */
  #present: ReadonlyMap<string, Paused> = new Map()
  #timer: Timer | undefined
  /** The database's clock at the first moment of the monotonic one. */
  #origin = 0
  /** No job of the table may begin here. */
  isPaused = false
  /** Something was paused or resumed, and is being read: nothing begins before it is known. */
  #isUnsure = false
  /** When (monotonic milliseconds) fewer jobs were allowed to begin than before: what was claimed by then is to be claimed anew. */
  pausedAt = Number.NEGATIVE_INFINITY
  /** The keys of which none may; of another identity when they have changed. */
  keys: readonly PausedKey[] = none

  constructor(tell: (event: 'paused' | 'resumed', payload: Paused) => void) {
    this.#tell = tell
  }

  /** Why no job of the table begins here. */
  get by(): 'worker' | 'table' | undefined {
    if (this.#byWorker) return 'worker'
    return this.isPaused ? 'table' : undefined
  }

  /** What of the table is paused. */
  get list(): readonly Pause[] {
    return this.#going.map(({ pause }) => pause)
  }

  get #going(): readonly Lasting[] {
    const now = performance.now()
    return this.#lasting.filter(({ ends }) => ends > now)
  }

  /** Jobs may be claimed, and begin. */
  get isOpen(): boolean {
    return !this.isPaused && !this.#isUnsure
  }

  set isUnsure(isUnsure: boolean) {
    const isOver = this.#isUnsure && !isUnsure
    this.#isUnsure = isUnsure
    if (isOver) this.#hooks?.resumed()
  }

  /** This worker alone. */
  set byWorker(isPaused: boolean) {
    this.#byWorker = isPaused
    this.#changed()
  }

  /** Has a worker heed it. */
  join(hooks: PauseHooks): void {
    this.#hooks = hooks
    this.#changed()
  }

  /** The worker has started; it tells of what was paused before. */
  open(): void {
    this.#isOpen = true
    for (const paused of this.#present.values()) this.#tell('paused', paused)
  }

  close(): void {
    this.#isOpen = false
    this.#isClosed = true
    this.#timer?.cancel()
  }

  /** What was read just now, and the database's clock then. */
  read(pauses: readonly KeptPause[], now: Date): void {
    const at = performance.now()
    this.#origin = now.getTime() - at
    this.#lasting = pauses.map(({ left, types, ...pause }) => ({ pause, ends: at + left }))
    this.#changed()
  }

  /** The database's clock at a monotonic time, as far as is known. */
  clockAt(time: number): Date {
    return new Date(this.#origin + time)
  }

  #changed(): void {
    if (this.#isClosed) return
    const going = this.#going
    const before = this.#present
    const present = new Map<string, Paused>(this.#byWorker ? [['worker', { by: 'worker' }]] : [])
    for (const { pause } of going) present.set(JSON.stringify(pause.where ?? null), pausedBy(pause))
    this.#present = present
    this.isPaused = this.#byWorker || going.some(({ pause }) => pause.where === undefined)
    const keys = going.flatMap(({ pause: { where } }) => (where === undefined ? [] : [where]))
    if (JSON.stringify(keys) !== JSON.stringify(this.keys)) this.keys = keys
    this.#arm(going)
    this.#told(before, present)
  }

  /** For the end of the next pause that has one. */
  #arm(going: readonly Lasting[]): void {
    this.#timer?.cancel()
    if (this.#hooks === undefined) return
    const next = Math.min(...going.map(({ ends }) => ends))
    this.#timer = after(next - performance.now(), () => this.#changed())
  }

  #told(before: ReadonlyMap<string, Paused>, present: ReadonlyMap<string, Paused>): void {
    const added = [...present].flatMap(([of, paused]) => (before.has(of) ? [] : [paused]))
    const gone = [...before].flatMap(([of, paused]) => (present.has(of) ? [] : [paused]))
    if (added.length > 0) this.pausedAt = performance.now()
    if (added.length > 0) this.#hooks?.paused()
    if (gone.length > 0) this.#hooks?.resumed()
    if (!this.#isOpen) return
    for (const paused of added) this.#tell('paused', paused)
    for (const { by, where } of gone) this.#tell('resumed', { by, ...(where && { where }) })
  }
}

function pausedBy({ where, reason, until }: Pause): Paused {
  const by = where === undefined ? 'table' : 'key'
  return { by, ...(where && { where }), ...(reason !== undefined && { reason }), ...(until && { until }) }
}
