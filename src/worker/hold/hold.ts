import { backToHeld, markHeld } from '../../queue/held.js'
import type { Outcome } from '../../queue/outcome.js'
import type { Jobs } from '../../schema/job-database.js'
import { DeadlineError, withDeadline } from '../../watch/deadline.js'
import { after, type Timer } from '../../watch/timer.js'
import { abortAfter } from '../lease/lease-renewer.js'
import type { Attempt } from '../run/attempt.js'
import type { Settler } from '../settle/settler.js'
import { tellLost } from '../settle/tell.js'
import type { JobHold } from './job-hold.js'
import { type Ended, type HeldStatements, isOfConnection, leaseHeld, writeHeld } from './write-held.js'

/** What a hold needs of its worker. */
export interface HoldParts extends HeldStatements {
  readonly settler: Settler
  /** Releases what has not begun of its attempts. */
  releaseOf(attempts: ReadonlySet<Attempt>): void
  /** Something was refused, went wrong, or took too long. */
  refused(): void
  /** All has ended in its time. */
  wentWell(): void
  /** Leases may be lost. */
  unsure(): void
  over(): void
}

/**
 * A transaction that holds the rows of a batch of jobs, in place of leases. What ended well is written once, before its commit.
 * It ends when all has ended, when its time is over or when somebody asks for it: what still runs is then claimed by a
 * lease in the same commit, and what has not begun is free again. Whoever dies leaves no trace, as the server rolls back.
 */
export class Hold implements JobHold {
  readonly #parts: HoldParts
  readonly #wanted = Promise.withResolvers<void>()
  readonly #over = Promise.withResolvers<void>()
  #attempts: ReadonlySet<Attempt> = new Set()
  #ended: Ended[] = []
  /** Those that are claimed by a lease, as they still run; and those that ended since, or whose outcomes were refused. */
  readonly #leased: Attempt[] = []
  readonly #late: Ended[] = []
  #leasedAt = 0
  readonly #begunAt = performance.now()
  /** It ended before most of its jobs had. */
  #isShort = false
  #isRefused = false
  #state: 'held' | 'ending' | 'committing' | 'over' = 'held'
  #timer: Timer | undefined

  constructor(parts: HoldParts) {
    this.#parts = parts
  }

  /** Holds these. */
  take(attempts: readonly Attempt[]): void {
    for (const attempt of attempts) attempt.hold(this)
    if (this.#state === 'over') {
      this.#lose(attempts)
      return
    }
    this.#attempts = new Set(attempts)
    this.#timer = after(this.#parts.scope.settings.holdFor, () => void this.end())
  }

  /** It has failed before they came here: they are free again. */
  #lose(attempts: readonly Attempt[]): void {
    for (const attempt of attempts) {
      attempt.hold(undefined)
      tellLost(this.#parts.scope, attempt, 'the transaction that held it was cut off')
    }
  }

  add(attempt: Attempt, outcome: Outcome): void {
    const outcomes = this.#state === 'held' ? this.#ended : this.#late
    outcomes.push([attempt, outcome])
    if (this.#ended.length === this.#attempts.size) void this.end()
  }

  /** Ends it, with nothing lost by that. Resolves when it has ended. */
  end(): Promise<void> {
    this.#wanted.resolve()
    return this.#over.promise
  }

  /** Holds until the end, and writes what is to be committed then. @throws what the database says of the connection */
  async hold(users: Jobs['db']): Promise<void> {
    const trx = users.withoutPlugins()
    try {
      await this.#inTime(markHeld(trx))
      await this.#wanted.promise
      this.#close()
      await this.#write(trx)
    } catch (error) {
      this.failed(error)
      throw error
    }
    this.#state = 'committing'
    const late = `No answer to the commit of ${this.#attempts.size} jobs while it could be waited for`
    this.#timer = after(this.#left, () => this.failed(new DeadlineError(late)))
  }

  /** What has not begun is free again, and what still runs goes on by a lease. */
  #close(): void {
    this.#timer?.cancel()
    this.#parts.releaseOf(this.#attempts)
    this.#state = 'ending'
    this.#leased.push(...[...this.#attempts].filter(({ isOpen }) => isOpen))
    const done = this.#ended.filter(([, { kind }]) => kind !== 'released').length
    this.#isShort = done < this.#attempts.size / 2
    if (this.#isShort) this.#parts.refused() // handlers take longer than it lasts, or wait for its end
  }

  async #write(trx: Jobs['db']): Promise<void> {
    const { scope, refused } = this.#parts
    this.#leasedAt = performance.now()
    try {
      await this.#inTime(writeHeld(trx, this.#parts, { ended: this.#ended, running: this.#leased }))
    } catch (error) {
      if (isOfConnection(error)) throw error
      refused()
      this.#isRefused = true
      scope.report(error, `writing ${this.#ended.length} outcomes, whose jobs go on by leases`)
      await this.#inTime(backToHeld(trx))
      const unwritten = this.#ended.filter(([, { kind }]) => kind !== 'released')
      this.#ended = this.#ended.filter(([, { kind }]) => kind === 'released')
      this.#late.push(...unwritten)
      this.#leased.push(...unwritten.map(([attempt]) => attempt))
      await this.#inTime(leaseHeld(trx, scope, this.#leased))
    }
  }

  /** Its transaction has committed. */
  committed(): void {
    if (this.#state === 'over') return
    for (const attempt of this.#leased) attempt.renewed(this.#leasedAt)
    this.#letGo()
    if (this.#leased.length === 0 && !this.#isShort) this.#parts.wentWell()
    this.#parts.settler.confirm(this.#ended)
    this.#parts.settler.take(this.#late)
    if (this.#isRefused) this.#parts.unsure()
  }

  /**
   * Its transaction was rolled back, most likely; or only the answer to its commit was lost. So all are taken for leased, from
   * their claim on, as a server that was cut off ends the transaction no earlier than a lease after that: settler and renewer
   * find out, and by the fence they write nothing of what is another's.
   */
  failed(error: unknown): void {
    if (this.#state === 'over') return
    const isSent = this.#state === 'committing'
    if (this.#state === 'held') this.#close()
    const { scope, settler, refused, unsure } = this.#parts
    refused()
    scope.report(error, `holding ${this.#attempts.size} jobs by a transaction`)
    this.#letGo()
    if (isSent) for (const [attempt] of this.#ended) attempt.tried()
    settler.take(this.#ended.filter(([, { kind }]) => kind !== 'released'))
    settler.take(this.#late)
    settler.confirm(this.#ended.filter(([, { kind }]) => kind === 'released'))
    unsure()
  }

  #letGo(): void {
    this.#state = 'over'
    this.#timer?.cancel()
    for (const attempt of this.#attempts) attempt.hold(undefined)
    this.#parts.over()
    this.#over.resolve()
  }

  #inTime<Value>(statement: Promise<Value>): Promise<Value> {
    return withDeadline(statement, this.#left, 'a hold')
  }

  /** Milliseconds in which the server does not end it, even where it hears nothing. */
  get #left(): number {
    return Math.max(0, this.#begunAt + this.#parts.scope.settings.lease * abortAfter - performance.now())
  }
}
