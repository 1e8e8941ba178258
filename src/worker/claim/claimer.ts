import { setImmediate as nextTurn } from 'node:timers/promises'
import { type CompiledFetch, compileFetch } from '../../queue/fetch.js'
import { compileNextDue } from '../../queue/next-due.js'
import { release } from '../../queue/release.js'
import type { Bell } from '../../watch/bell.js'
import { Pause } from '../../watch/pause.js'
import { ask } from '../ask.js'
import { Attempt } from '../run/attempt.js'
import type { Slots } from '../run/slots.js'
import type { WorkerScope } from '../scope.js'
import { BacklogCursor } from './backlog-cursor.js'

/**
 * After a fetch that did not fill the slots, so long (milliseconds) without a ring, and the next due time is worth a question:
 * where jobs come in quick succession, each would wait for its answer.
 */
const lull = 5

/** Of all that is due, or of what is due from the cursor on. */
type FetchKind = 'whole' | 'from the cursor'

interface Fetch {
  readonly limit: number
  readonly kind: FetchKind
  /** Monotonic milliseconds. */
  readonly sent: number
  readonly rows: Promise<readonly object[]>
}

/**
 * A worker's one loop: waits for the bell, claims up to the free slots, and again until nothing is due. Then it
 * sleeps until it is rung (a notification, a poll that found something, a freed slot) or the next job is due. No error
 * ends it.
 */
export class Claimer {
  readonly #scope: WorkerScope
  readonly #slots: Slots
  readonly #bell: Bell
  readonly #claimed: (attempts: readonly Attempt[], isWhole: boolean) => void
  readonly #resting: () => void
  readonly #errorPause = new Pause()
  readonly #contendedPause = new Pause()
  readonly #backlog = new BacklogCursor()
  readonly #fetches = new Map<FetchKind, CompiledFetch>()
  readonly #nextDue: ReturnType<typeof compileNextDue>
  #stopping = false
  /** The fetch that was sent while the jobs of the one before it had not begun. */
  #ahead: Fetch | undefined
  #isWaiting = false
  /** The last fetch brought all there was, until the next due time is known: a free slot has nothing to wait for. */
  #isLull = false
  /** The last fetch left something, as far as it knows: the next is planned for what the table holds now. */
  #isBacklog = false
  /** When (wall clock) the last fetch came back, and since when (monotonic) none does. */
  lastFetch: Date | undefined
  failingSince: number | undefined
  /** Nothing more is due, as far as the last look goes. */
  foundNothing = false

  constructor(
    scope: WorkerScope,
    parts: {
      slots: Slots
      bell: Bell
      claimed: (attempts: readonly Attempt[], isWhole: boolean) => void
      resting: () => void
    },
  ) {
    this.#scope = scope
    this.#nextDue = compileNextDue(scope.jobs, scope.claim)
    this.#slots = parts.slots
    this.#bell = parts.bell
    this.#claimed = parts.claimed
    this.#resting = parts.resting
  }

  /** Runs until {@link stop}. */
  async run(): Promise<void> {
    while (!this.#stopping || this.#ahead !== undefined) {
      const wait = await this.#turn()
      if (this.#stopping) continue
      if (this.foundNothing) this.#resting()
      if (wait === 0) continue
      await this.#bell.wait(wait)
      // Jobs that end in one turn of the event loop free their slots for one fetch, not for two small ones.
      if (this.#slots.running > 0) await nextTurn()
    }
  }

  stop(): void {
    this.#stopping = true
    this.#bell.ring()
  }

  /** A slot is free: worth a fetch only where more than the slots could take was due, and none is on its way. */
  slotFreed(): void {
    const { expectsSuspect, room } = this.#slots
    const isAnswered = this.#isWaiting || this.#isLull // but not for the next suspect, whose turn it is now
    if (this.foundNothing || (isAnswered && !expectsSuspect)) return
    if (room > 0) this.#bell.ring()
  }

  /** Claims once; gives the milliseconds until the next look. */
  async #turn(): Promise<number> {
    this.#isLull = false
    this.foundNothing = false
    try {
      const fetch = this.#ahead ?? this.#send()
      this.#ahead = undefined
      if (fetch === undefined) return Number.POSITIVE_INFINITY
      const rows = await this.#rowsOf(fetch)
      this.#cameBack()
      const isFull = rows.length >= fetch.limit
      this.#isBacklog = isFull
      if (isFull) this.#backlog.advance(rows, fetch.kind === 'whole', performance.now() - fetch.sent)
      else this.#backlog.forget()
      this.#isLull = !isFull
      await this.#take(rows, fetch, isFull)
      return isFull ? 0 : await this.#untilNext(rows.length, fetch)
    } catch (error) {
      this.failingSince ??= performance.now()
      this.#fetches.clear() // a column that they name may be gone
      this.#scope.report(error, 'fetching jobs')
      return this.#errorPause.next(error)
    }
  }

  async #rowsOf({ rows }: Fetch): Promise<readonly object[]> {
    this.#isWaiting = true
    try {
      return await rows
    } finally {
      this.#isWaiting = false
    }
  }

  /** Rows may be claimed that nobody has seen yet. */
  get isFetching(): boolean {
    return this.#isWaiting || this.#ahead !== undefined
  }

  #cameBack(): void {
    this.lastFetch = new Date()
    this.failingSince = undefined
    this.#errorPause.reset()
  }

  /** Asks for as many jobs as there is room for. */
  #send(): Fetch | undefined {
    const { room: limit } = this.#slots
    if (limit === 0) return undefined
    const { userJobs, settings } = this.#scope
    const dueSince = this.#dueSince
    const kind = dueSince ? 'from the cursor' : 'whole'
    const fetch = this.#fetch(kind)
    const late = (rows: readonly object[]) => void this.#giveBack(rows)
    const sent = performance.now()
    const rows = ask(
      userJobs.db,
      settings.lease / 3,
      'fetch',
      (db) => fetch(db, { limit, dueSince, isPrepared: !this.#isBacklog }),
      late,
    )
    rows.catch(() => {}) // whoever takes it hears of its failure
    return { limit, kind, sent, rows }
  }

  /** Suspects stand at the beginning, and those that were handed back too. */
  get #dueSince(): Date | undefined {
    const isPlain = !this.#slots.expectsSuspect && !this.#scope.columns.includes('priority')
    return isPlain ? this.#backlog.dueSince : undefined
  }

  /** A fetch is built once, until one fails. */
  #fetch(kind: FetchKind): CompiledFetch {
    const known = this.#fetches.get(kind)
    if (known !== undefined) return known
    const { userJobs, worker, claim } = this.#scope
    const made = compileFetch(userJobs, { ...claim, worker, fromCursor: kind === 'from the cursor' })
    this.#fetches.set(kind, made)
    return made
  }

  async #take(rows: readonly object[], { sent, kind }: Fetch, isFull: boolean): Promise<void> {
    if (rows.length > 0) {
      if (this.#stopping) return this.#giveBack(rows)
      this.#contendedPause.reset()
      this.#scope.tell('claimed', { jobs: rows })
    }
    this.#claimed(
      rows.map((row) => new Attempt(row, sent)),
      kind === 'whole',
    )
    if (isFull) this.#ahead = this.#send()
    if (this.#ahead !== undefined) await nextTurn() // it is on its way before handlers, which may be many and quick, begin
    this.#slots.begin()
  }

  /** Rows that came too late to be run here; where giving back fails, their leases expire. */
  async #giveBack(rows: readonly object[]): Promise<void> {
    const { jobs, worker, settings } = this.#scope
    const attempts = rows.map((row) => new Attempt(row, 0))
    try {
      const released = await ask(jobs.db, settings.lease / 3, 'release', (db) =>
        release(db, jobs.name, attempts, { worker, key: jobs.key }),
      )
      for (const { id, attempt } of released) this.#scope.tell('released', { job: { id }, attempt })
    } catch (error) {
      this.#scope.report(error, 'handing back jobs that came too late')
    }
  }

  /** After a fetch that did not fill the slots: when the next job is due. */
  async #untilNext(claimed: number, { sent, kind }: Fetch): Promise<number> {
    if (await this.#bell.wait(lull)) return 0
    const { jobs, settings } = this.#scope
    const due = await ask(jobs.db, settings.lease / 3, 'next due time', this.#nextDue)
    this.#isLull = false
    if (due !== undefined && due <= 0) {
      const isNew = kind === 'from the cursor' || -due < performance.now() - sent // the fetch could not find it
      // else it is not ours: another transaction holds its lock, or (sharing with the seed) its backoff has not passed
      return claimed > 0 || isNew ? 0 : this.#contendedPause.next()
    }
    this.foundNothing = !this.#slots.expectsSuspect // of whom only one was taken, or none
    return due ?? Number.POSITIVE_INFINITY
  }
}
