import { backToHeld, markHeld } from '../../queue/held.js'
import type { Outcome } from '../../queue/outcome.js'
import type { Jobs } from '../../schema/job-database.js'
import { DeadlineError, withDeadline } from '../../watch/deadline.js'
import { after, type Timer } from '../../watch/timer.js'
import { ShutdownError } from '../run/abort-reason.js'
import type { Attempt } from '../run/attempt.js'
import { tellLost } from '../settle/tell.js'
import type { HoldParts } from './hold.js'
import type { JobHold } from './job-hold.js'
import { type Ended, isOfConnection, leaseHeld, tellFree, writeHeld } from './write-held.js'

/** Handles jobs in the transaction that has their rows, and says what is to be written of them. @throws HandlerThrew */
export type BatchWork = (trx: Jobs['db'], ours: readonly Attempt[]) => Promise<readonly Ended[]>

/** The handler's own doing: what it threw, or that its time was over. */
export class HandlerThrew extends Error {
  constructor(thrown: unknown) {
    super('A batch handler threw', { cause: thrown })
  }
}

/**
 * How a batch has ended: its outcomes are written; or they may be, as the commit had no answer; or they are not, and its jobs are
 * free again.
 */
export type BatchEnd = 'written' | 'unsure' | 'free'

/**
 * The transaction that holds the rows of one batch, in place of leases, and in which its handler writes: all of it commits
 * together. Where that fails, what was written is undone, and the jobs go on by leases in the same commit.
 */
export class HeldBatch implements JobHold {
  readonly #parts: HoldParts
  readonly #work = Promise.withResolvers<BatchWork | undefined>()
  readonly #over = Promise.withResolvers<BatchEnd>()
  #attempts: readonly Attempt[] = []
  /** Those that were released unbegun, or whose time is over. */
  readonly #ended: Ended[] = []
  #state: 'ready' | 'begun' | 'committing' | 'over' = 'ready'
  #timer: Timer | undefined
  #committedAt = 0
  /** Why what was written is undone, and since when its jobs have leases; undefined where they are free. */
  #undone: { readonly error: unknown; readonly leasedAt: number | undefined } | undefined

  constructor(parts: HoldParts) {
    this.#parts = parts
    this.#over.promise.catch(() => {}) // whoever waits for it hears of it
  }

  take(attempts: readonly Attempt[]): void {
    this.#attempts = attempts
    for (const attempt of attempts) attempt.hold(this)
    if (this.#state === 'over') this.#lose() // it has failed before they came here
  }

  add(attempt: Attempt, outcome: Outcome): void {
    this.#ended.push([attempt, outcome])
    if (this.#ended.length === this.#attempts.length) this.#work.resolve(undefined)
  }

  /** What has not begun is free again; resolves when what has begun is over. */
  async end(): Promise<void> {
    this.#parts.releaseOf(new Set(this.#attempts))
    if (this.#attempts.length === 0) this.#work.resolve(undefined)
    await this.#over.promise.catch(() => {})
  }

  /**
   * Has the batch handled and its outcomes written.
   * @throws why what was written is undone: its jobs have leases then, or are lost
   */
  run(work: BatchWork): Promise<BatchEnd> {
    if (this.#state === 'ready') this.#state = 'begun'
    this.#work.resolve(work)
    return this.#over.promise
  }

  async hold(users: Jobs['db']): Promise<void> {
    const trx = users.withoutPlugins()
    try {
      const work = await this.#work.promise
      if (work === undefined)
        await this.#inTime(writeHeld(trx, this.#parts, { ended: this.#ended })) // none has begun
      else await this.#handled(trx, () => work(users, this.#attempts))
    } catch (error) {
      this.failed(error) // whether or not a rollback has an answer
      throw error
    }
    this.#committedAt = performance.now()
    const late = `No answer to the commit of a batch of ${this.#attempts.length} jobs`
    this.#timer = after(this.#parts.scope.settings.lease, () => this.failed(new DeadlineError(late)))
  }

  async #handled(trx: Jobs['db'], work: () => Promise<readonly Ended[]>): Promise<void> {
    await this.#inTime(markHeld(trx))
    try {
      const ended = await work()
      await this.#inTime(writeHeld(trx, this.#parts, { ended }))
    } catch (error) {
      if (isOfConnection(error)) throw error
      await this.#inTime(backToHeld(trx))
      await this.#inTime(this.#goOn(trx, error))
    }
    this.#state = 'committing'
  }

  #inTime<Value>(statement: Promise<Value>): Promise<Value> {
    return withDeadline(statement, this.#parts.scope.settings.lease, 'a batch')
  }

  async #goOn(trx: Jobs['db'], error: unknown): Promise<void> {
    const { scope, refused } = this.#parts
    if (!(error instanceof HandlerThrew)) refused()
    const isStopped = this.#attempts.every(({ abortReason }) => abortReason instanceof ShutdownError)
    this.#undone = { error, leasedAt: isStopped ? undefined : performance.now() }
    if (isStopped) await tellFree(trx, scope)
    else await leaseHeld(trx, scope, this.#attempts)
  }

  committed(): void {
    if (this.#state === 'over') return
    const { settler, wentWell } = this.#parts
    const isHandled = this.#state === 'committing'
    this.#letGo()
    if (this.#undone !== undefined) this.#wentOn(this.#undone)
    else {
      wentWell()
      this.#over.resolve('written')
    }
    if (isHandled)
      settler.take(this.#ended) // their time was over
    else settler.confirm(this.#ended)
  }

  #wentOn({ error, leasedAt }: { readonly error: unknown; readonly leasedAt: number | undefined }): void {
    if (leasedAt === undefined) this.#over.resolve('free')
    else {
      for (const attempt of this.#attempts) attempt.renewed(leasedAt)
      this.#parts.unsure()
      this.#over.reject(error)
    }
  }

  failed(error: unknown): void {
    if (this.#state === 'over') return
    const { scope, settler, refused } = this.#parts
    const before = this.#state
    this.#letGo()
    refused()
    scope.report(error, `holding a batch of ${this.#attempts.length} jobs by a transaction`)
    const mayBeWritten = before === 'committing' && this.#undone === undefined
    if (mayBeWritten) for (const attempt of this.#attempts) attempt.renewed(this.#committedAt)
    else this.#lose()
    if (before === 'ready') settler.confirm(this.#ended)
    else settler.take(this.#ended)
    if (before === 'begun') this.#over.reject(error)
    else this.#over.resolve(mayBeWritten ? 'unsure' : 'free')
  }

  #lose(): void {
    for (const attempt of this.#attempts) {
      attempt.hold(undefined)
      if (attempt.isOpen) tellLost(this.#parts.scope, attempt, 'the transaction that held it was cut off')
    }
  }

  #letGo(): void {
    this.#state = 'over'
    this.#timer?.cancel()
    for (const attempt of this.#attempts) attempt.hold(undefined)
    this.#parts.over()
  }
}
