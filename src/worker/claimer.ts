import { setImmediate as nextTurn } from 'node:timers/promises'
import { fetchNextJobs } from '../queue/fetch.js'
import { nextDueAt } from '../queue/next-due.js'
import { release } from '../queue/release.js'
import type { Bell } from '../watch/bell.js'
import { withDeadline } from '../watch/deadline.js'
import { Pause } from '../watch/pause.js'
import { Attempt } from './attempt.js'
import type { WorkerScope } from './scope.js'
import type { Slots } from './slots.js'

/**
 * A worker's one loop: waits for the bell, claims up to the free slots, and again until nothing is due. Then it
 * sleeps until it is rung (a notification, a poll that found something, a freed slot) or the next job is due. No error
 * ends it.
 */
export class Claimer {
  readonly #scope: WorkerScope
  readonly #slots: Slots
  readonly #bell: Bell
  readonly #claimed: (attempts: readonly Attempt[]) => void
  readonly #resting: () => void
  readonly #errorPause = new Pause()
  readonly #contendedPause = new Pause()
  #stopping = false
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
      claimed: (attempts: readonly Attempt[]) => void
      resting: () => void
    },
  ) {
    this.#scope = scope
    this.#slots = parts.slots
    this.#bell = parts.bell
    this.#claimed = parts.claimed
    this.#resting = parts.resting
  }

  /** Runs until {@link stop}. */
  async run(): Promise<void> {
    while (!this.#stopping) {
      const wait = await this.#turn()
      if (this.#stopping) return
      if (this.foundNothing) this.#resting()
      if (wait === 0) continue
      await this.#bell.wait(wait)
      await nextTurn() // jobs that end in one turn of the event loop free their slots for one fetch, not for two small ones
    }
  }

  stop(): void {
    this.#stopping = true
    this.#bell.ring()
  }

  /** A slot is free: worth a fetch only where more than the slots could take was due. */
  slotFreed(): void {
    if (!this.foundNothing && this.#slots.room > 0) this.#bell.ring()
  }

  /** Claims once; gives the milliseconds until the next look. */
  async #turn(): Promise<number> {
    const { room } = this.#slots
    if (room === 0) return Number.POSITIVE_INFINITY
    this.foundNothing = false
    try {
      const claimed = await this.#claim(room)
      this.#cameBack()
      return claimed >= room ? 0 : await this.#untilNext(claimed)
    } catch (error) {
      this.failingSince ??= performance.now()
      this.#scope.report(error, 'fetching jobs')
      return this.#errorPause.next(error)
    }
  }

  #cameBack(): void {
    this.lastFetch = new Date()
    this.failingSince = undefined
    this.#errorPause.reset()
  }

  async #claim(limit: number): Promise<number> {
    const { userJobs, worker, columns, settings } = this.#scope
    const { backoff, seedBackoff, lease } = settings
    const retryBackoff = seedBackoff && typeof backoff === 'object' ? { retryBackoff: backoff } : {}
    const sent = performance.now()
    const fetched = fetchNextJobs(userJobs.db, userJobs.name, { worker, limit, columns, ...retryBackoff })
    const rows = await withDeadline<readonly object[]>(fetched, lease / 3, 'fetch', (late) => void this.#giveBack(late))
    if (rows.length === 0) return 0
    if (this.#stopping) await this.#giveBack(rows)
    else this.#begin(rows, sent)
    return rows.length
  }

  #begin(rows: readonly object[], sent: number): void {
    this.#contendedPause.reset()
    this.#scope.tell('claimed', { jobs: rows })
    this.#claimed(rows.map((row) => new Attempt(row, sent)))
  }

  /** Rows that came too late to be run here; where giving back fails, their leases expire. */
  async #giveBack(rows: readonly object[]): Promise<void> {
    const { jobs, worker, settings } = this.#scope
    const attempts = rows.map((row) => new Attempt(row, 0))
    try {
      const released = await withDeadline(
        release(jobs.db, jobs.name, attempts, { worker }),
        settings.lease / 3,
        'release',
      )
      for (const { id, attempt } of released) this.#scope.tell('released', { job: { id }, attempt })
    } catch (error) {
      this.#scope.report(error, 'handing back jobs that came too late')
    }
  }

  /** After a fetch that did not fill the slots: when the next job is due. */
  async #untilNext(claimed: number): Promise<number> {
    const { jobs, columns, settings } = this.#scope
    const due = await withDeadline(nextDueAt(jobs.db, jobs.name, { columns }), settings.lease / 3, 'next due time')
    // due, but not ours: another transaction holds its lock, or (sharing with the seed) its backoff has not passed
    if (due !== undefined && due <= 0) return claimed > 0 ? 0 : this.#contendedPause.next()
    this.foundNothing = true
    return due ?? Number.POSITIVE_INFINITY
  }
}
