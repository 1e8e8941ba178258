import { setImmediate as nextTurn } from 'node:timers/promises'
import { concernsAll } from '../../pg/error-class.js'
import type { Bell } from '../../watch/bell.js'
import { NoticeLimit } from '../../watch/notice-limit.js'
import { Pause } from '../../watch/pause.js'
import { ask } from '../ask.js'
import type { Holds } from '../hold/holds.js'
import { Attempt } from '../run/attempt.js'
import type { Slots } from '../run/slots.js'
import type { WorkerScope } from '../scope.js'
import { BacklogCursor } from './backlog-cursor.js'
import { ClaimStatements, type ToClaim } from './claim-statements.js'
import type { Claimed } from './claimed.js'
import { tellOfFreedKeys } from './freed-keys.js'
import { Leases } from './leases.js'
import type { LeftBehind } from './left-behind.js'
import { onItsWay, type SentFetch } from './sent-fetch.js'

/**
 * After a fetch that did not fill the slots, wait this long (milliseconds) without a ring before asking for the next due
 * time: where jobs come in quick succession, each would wait for the answer.
 */
const lull = 5

/** What a claimer works with, and whom it tells. */
interface ClaimerParts {
  readonly slots: Slots
  readonly holds: Holds
  readonly bell: Bell
  claimed(attempts: readonly Attempt[]): void
  resting(): void
}

/**
 * A worker's one loop: waits for the bell, claims up to the free slots, and again until nothing is due. Then it
 * sleeps until it is rung (a notification, a poll that found something, a freed slot) or the next job is due. No error
 * ends it.
 */
export class Claimer {
  readonly #scope: WorkerScope
  readonly #slots: Slots
  readonly #leases: Leases
  readonly #bell: Bell
  readonly #around: ClaimerParts
  readonly #errorPause = new Pause()
  readonly #contendedPause = new Pause()
  readonly #backlog: BacklogCursor
  readonly #noticeLimit = new NoticeLimit()
  readonly #statements: ClaimStatements
  #stopping = false
  /** The fetch that was sent while the jobs of the one before it had not begun. */
  #ahead: SentFetch | undefined
  /** The most interruptions in a row of a job that the last fetch brought. */
  #interruptions = 0
  /** The most jobs of a fetch: fewer while one of them is refused, until it is alone. */
  #most = Number.POSITIVE_INFINITY
  #isWaiting = false
  /** The last fetch brought all there was, until the next due time is known: a free slot has nothing to wait for. */
  #isLull = false
  /** How the last fetch went: what it brought, whether it left more, and what else where it went by keys. */
  #last: { brought: number; isFull: boolean; left?: LeftBehind | undefined } = { brought: 0, isFull: false }
  /** When (wall clock) the last fetch came back, and since when (monotonic) none does, and why. */
  lastFetch: Date | undefined
  failing: { readonly since: number; readonly error: unknown } | undefined
  /** Nothing more is due, as far as the last look goes. */
  foundNothing = false

  constructor(scope: WorkerScope, parts: ClaimerParts) {
    this.#scope = scope
    this.#statements = new ClaimStatements(scope)
    this.#backlog = new BacklogCursor(scope.pauses)
    this.#slots = parts.slots
    this.#leases = new Leases(scope)
    this.#bell = parts.bell
    this.#around = parts
  }

  /** Runs until {@link stop}. */
  async run(): Promise<void> {
    while (!this.#stopping || this.#ahead !== undefined) {
      const wait = await this.#turn()
      if (this.#stopping) continue
      if (this.foundNothing) this.#around.resting()
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
    const isAnswered = this.#isWaiting || this.#isLull // but not for those that were interrupted and released for want of a slot
    if (this.foundNothing || (isAnswered && this.#interruptions === 0)) return
    if (this.#room > 0) this.#bell.ring()
  }

  /** Claims once; gives the milliseconds until the next look. */
  async #turn(): Promise<number> {
    this.#isLull = false
    this.foundNothing = false
    try {
      const fetch = this.#ahead ?? this.#send()
      this.#ahead = undefined
      if (fetch === undefined) return Number.POSITIVE_INFINITY
      const claimed = await this.#claimedBy(fetch)
      if (claimed === undefined) return 0
      const { rows, left } = claimed
      this.#cameBack(rows)
      const isFull = left?.isMore ?? rows.length >= fetch.limit
      this.#last = { brought: rows.length, isFull, left }
      const look = { isWhole: fetch.since === undefined, isFull, took: performance.now() - fetch.sent }
      if (left === undefined) this.#backlog.advance(rows, look)
      this.#isLull = !isFull
      await this.#take(claimed, fetch, isFull)
      return isFull ? 0 : await this.#untilNext(claimed, fetch)
    } catch (error) {
      this.failing = { since: this.failing?.since ?? performance.now(), error }
      this.#scope.report(error, 'fetching jobs')
      return this.#errorPause.next(error)
    }
  }

  /** @returns undefined where a row is refused (a CHECK, a trigger): it keeps no other from being claimed by the next fetches; or where no transaction may hold them */
  async #claimedBy({ claimed, limit }: SentFetch): Promise<Claimed | undefined> {
    this.#isWaiting = true
    try {
      const found = await claimed
      if (found !== undefined) this.#most *= 2
      return found
    } catch (error) {
      if (concernsAll(error) || this.#most === 1) throw error
      this.#most = Math.max(1, Math.floor(limit / 2))
      return undefined
    } finally {
      this.#isWaiting = false
    }
  }

  /** Outcomes were written: jobs of the same keys may begin. */
  wrote(): void {
    if (this.#last.left?.wrote(this.#isWaiting)) {
      this.foundNothing = false
      this.#bell.ring()
      if (this.#room === 0) void tellOfFreedKeys(this.#scope)
    } else this.slotFreed()
  }

  /** Milliseconds that a notification's look for jobs has to wait. */
  get noticeWait(): number {
    return this.#noticeLimit.wait
  }

  /** Where a question for the next job may begin: none is due before. */
  get horizon(): Date | undefined {
    return this.#backlog.horizon
  }

  /** Rows may be claimed that nobody has seen yet. */
  get isFetching(): boolean {
    return this.#isWaiting || this.#ahead !== undefined
  }

  #cameBack(rows: readonly object[]): void {
    this.lastFetch = new Date()
    this.failing = undefined
    this.#errorPause.reset()
    this.#noticeLimit.looked(rows.length > 0)
    if (rows[0] !== undefined) this.#scope.saw(rows[0])
  }

  /** Asks for as many jobs as there is room for. */
  #send(): SentFetch | undefined {
    const isHeld = this.#around.holds.isFor(this.#last.brought) && this.#interruptions === 0 && this.#most > 1
    const { batch } = this.#scope.settings
    const limit = Math.min(this.#room, this.#most, (isHeld && batch?.size) || Number.POSITIVE_INFINITY) // one transaction holds one batch
    const isBusy = this.#slots.ready > 0 || this.#slots.free === 0
    if (limit === 0 || (this.#around.holds.isFull && isBusy)) return undefined
    const since = this.#interruptions === 0 ? this.#backlog.since : undefined // those stand at the beginning
    const sent = performance.now()
    const departed = Promise.withResolvers<void>()
    const claimed = this.#claim({ limit, since, departed: departed.resolve }, isHeld)
    claimed.catch(() => {}).finally(departed.resolve) // whoever takes it hears of its failure
    return { limit, since, sent, departed: departed.promise, claimed }
  }

  #claim(given: ToClaim, isHeld: boolean): Promise<Claimed | undefined> {
    const isStopped = () => this.#stopping
    const isOne = this.#most === 1
    if (isHeld) return this.#around.holds.claim(this.#statements, given, isStopped)
    const ahead = given.limit > this.#slots.free
    return this.#leases.claim(this.#statements, { ...given, ahead, isOne, isPrepared: !this.#last.isFull }, isStopped)
  }

  /** Nothing is claimed ahead while there may be more jobs that were interrupted, and but one of those that are to be alone. */
  get #room(): number {
    const { room, free } = this.#slots
    return this.#interruptions > 1 ? Math.min(room, 1) : this.#interruptions > 0 ? Math.min(room, free) : room
  }

  async #take({ rows, hold }: Claimed, { sent }: SentFetch, isFull: boolean): Promise<void> {
    if (rows.length > 0) {
      if (this.#stopping) return hold?.end() ?? this.#leases.release(rows)
      this.#contendedPause.reset()
      this.#scope.tell('claimed', { jobs: rows, took: performance.now() - sent })
    }
    const attempts = rows.map((row) => new Attempt(row, sent))
    this.#interruptions = attempts.reduce((most, { interruptions }) => Math.max(most, interruptions), 0)
    hold?.take(attempts)
    this.#around.claimed(attempts)
    if (isFull && !this.#stopping) this.#ahead = this.#send()
    if (this.#ahead !== undefined) await onItsWay(this.#ahead, this.#scope.settings.holdFor)
    this.#slots.begin()
  }

  /** After a fetch that did not fill the slots: when the next job is due, or a fetch from the beginning. */
  async #untilNext({ rows, left }: Claimed, { sent, since }: SentFetch): Promise<number> {
    if (await this.#bell.wait(lull)) return 0
    if (left !== undefined) {
      const wait = await left.wait()
      this.#isLull = false
      this.foundNothing = wait > 0 && this.#interruptions === 0
      return wait
    }
    if (this.#around.holds.isOpen && this.#scope.settings.batch === undefined) {
      this.#isLull = false
      return Number.POSITIVE_INFINITY // what is held looks due; its end rings
    }
    const [{ jobs, settings }, { horizon }] = [this.#scope, this]
    if (this.#backlog.wait === 0) return 0
    const asked = performance.now()
    const due = await ask(jobs.db, settings.lease / 3, 'next due time', (db) => this.#statements.nextDue(db, horizon))
    this.#isLull = false
    if (due !== undefined && due <= 0) {
      const isMissed = since !== undefined && horizon === undefined
      const isNew = isMissed || -due < performance.now() - sent // the fetch could not find it
      // else it is not ours: another transaction holds its lock, or (sharing with the seed) its backoff has not passed
      return rows.length > 0 || isNew ? 0 : this.#contendedPause.next()
    }
    this.#backlog.compare(performance.now() - asked)
    this.#isLull = this.#backlog.isOwed
    this.foundNothing = this.#interruptions === 0 && !this.#isLull // of those that were interrupted some may have been released
    return Math.min(due ?? Number.POSITIVE_INFINITY, this.#backlog.wait)
  }
}
