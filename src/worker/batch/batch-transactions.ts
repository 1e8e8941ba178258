import { markWritten } from '../../queue/held.js'
import type { Outcome } from '../../queue/outcome.js'
import type { Jobs } from '../../schema/job-database.js'
import { Pause } from '../../watch/pause.js'
import { halves } from '../halves.js'
import { type BatchEnd, type BatchWork, HandlerThrew, HeldBatch } from '../hold/held-batch.js'
import { type Ended, isOfConnection } from '../hold/write-held.js'
import { archives } from '../known-table.js'
import { LeaseLostError } from '../run/abort-reason.js'
import type { Attempt } from '../run/attempt.js'
import { outcomeOfError } from '../run/outcome.js'
import { ResultError } from '../run/result.js'
import type { WorkerScope } from '../scope.js'
import { RefusedError } from '../settle/refused-error.js'
import { SettleStatement } from '../settle/settle-statement.js'
import type { Settler } from '../settle/settler.js'
import type { BatchCall } from './batch-call.js'
import { CutOffError, failureOf, gaveWay } from './batch-failure.js'
import { batchOutcomes } from './batch-outcomes.js'
import { areAborted, BatchSignal } from './batch-signal.js'
import { keepAwake } from './keep-awake.js'
import { LeasedBatch, NotBegunError } from './leased-batch.js'
import { LateStatementError, lendTransaction } from './lent-transaction.js'
import { lookUp } from './unsure-commit.js'

/** The calls of a handler for one batch, and for parts of it. */
interface Course {
  readonly calls: Promise<unknown>[]
  /** Why the first that failed did. */
  failure?: unknown
  /** What the first statement of the last call threw that failed. */
  statement?: unknown
  /** A job of it has not succeeded. */
  hasFailed?: boolean
  /** The database refused something, and the table was looked at again. */
  isRefused?: boolean
  /** How often a transaction gave way to another. */
  gaveWay: number
}

/** So often a batch is handled again as its transaction gave way to another. */
const mostRepeats = 3

/**
 * Handles batches in transactions, in which their rows are locked and their outcomes written. A batch whose claim is such
 * a transaction needs no other; one that is held by leases gets its own. What failed is handled by halves, where that may help.
 */
export class BatchTransactions {
  readonly #scope: WorkerScope
  readonly #settler: Settler
  readonly #call: BatchCall
  readonly #settle: SettleStatement
  readonly #pause = new Pause()

  constructor(scope: WorkerScope, settler: Settler, call: BatchCall) {
    this.#scope = scope
    this.#settler = settler
    this.#call = call
    this.#settle = new SettleStatement(scope)
  }

  /** Decides the outcome of each attempt as soon as it is known. Resolves when the handler has really ended. */
  async call(attempts: readonly Attempt[]): Promise<void> {
    const course: Course = { calls: [], gaveWay: 0 }
    await this.#handle(attempts, course)
    // what fails for many and for none alone would be seen nowhere but in the time that it takes
    if (course.failure !== undefined && !course.hasFailed)
      this.#scope.report(course.failure, `handling ${attempts.length} jobs at once, which went well by fewer`)
    await Promise.allSettled(course.calls)
  }

  /** @param keep rows stay in the table that were to go to its archive */
  async #handle(attempts: readonly Attempt[], course: Course, keep = false): Promise<void> {
    const open = attempts.filter(({ isOpen }) => isOpen)
    if (open.length === 0) return
    if (areAborted(open)) return this.#failed(open, course, open[0]?.abortReason)
    try {
      await this.#inTransaction(open, course, keep)
    } catch (failed) {
      if (failed instanceof NotBegunError) return this.#release(open, course, failed.cause)
      const failure = failureOf(failed, course.statement)
      if (gaveWay(failed) && !areAborted(open) && course.gaveWay++ < mostRepeats)
        return this.#handle(open, course, keep)
      course.failure ??= failure
      if (areAborted(open) || !this.#mayHalve(failed)) return this.#failed(open, course, failure)
      if (failure instanceof RefusedError && (await this.#isChanged(open, course, failure)))
        return this.#handle(open, course, keep)
      const parts = halves(open)
      for (const part of parts) await this.#handle(part, course)
      if (parts.length > 0) return
      const mayKeep = failure instanceof RefusedError && archives(this.#scope.settings) && !keep
      if (mayKeep) await this.#handle(open, course, true)
      else this.#failed(open, course, failure)
    }
  }

  /** Whether the table may be another than it was when a batch was refused for the first time. */
  async #isChanged(attempts: readonly Attempt[], course: Course, { cause }: RefusedError): Promise<boolean> {
    if (course.isRefused) return false
    course.isRefused = true
    const { columns, finished, report } = this.#scope
    report(cause, `writing the outcomes of a batch of ${attempts.length} jobs`)
    await this.#scope.failed(cause)
    return this.#scope.columns !== columns || this.#scope.finished !== finished
  }

  /** What a handler throws is of all its jobs, unless it is said otherwise; what the database refuses may be of one. */
  #mayHalve(failed: unknown): boolean {
    if (failed instanceof HandlerThrew) return this.#scope.settings.batch?.onError === 'bisect'
    return !isOfConnection(failed)
  }

  async #inTransaction(attempts: readonly Attempt[], course: Course, keep: boolean): Promise<void> {
    let ended: readonly Ended[] = []
    const work = async (trx: Jobs['db'], ours: readonly Attempt[]) => {
      ended = await this.#called(trx, ours, course)
      await markWritten(trx.withoutPlugins())
      return ended
    }
    const holder = attempts[0]?.holder
    const isHeld = holder instanceof HeldBatch
    const end = isHeld ? await holder.run(work) : await this.#byLeases(attempts, work, keep)
    const told: readonly Ended[] = end === 'free' ? attempts.map((attempt) => [attempt, { kind: 'released' }]) : ended
    course.hasFailed ||= told.some(([, { kind }]) => kind !== 'succeeded')
    if (end === 'unsure') return lookUp(this.#scope, this.#settler, told, isHeld)
    for (const [attempt, { kind }] of told) if (kind === 'succeeded') attempt.complete() // also where its time was over by then
    this.#settler.wrote(told.filter(([attempt]) => attempt.end()))
    return undefined
  }

  async #byLeases(attempts: readonly Attempt[], work: BatchWork, keep: boolean): Promise<BatchEnd> {
    const batch = new LeasedBatch(this.#scope, this.#settle.current)
    try {
      const end = await batch.run(attempts, work, keep)
      this.#pause.reset()
      return end
    } finally {
      this.#settler.take(batch.ended)
    }
  }

  #failed(attempts: readonly Attempt[], course: Course, failure: unknown): void {
    course.hasFailed = true
    for (const attempt of attempts)
      if (attempt.isOpen) this.#end(attempt, outcomeOfError(this.#scope, attempt, failure))
  }

  /** Its handler was not called; a moment later others may. */
  async #release(attempts: readonly Attempt[], course: Course, error: unknown): Promise<void> {
    course.hasFailed = true
    this.#scope.report(error, `beginning the transaction of a batch of ${attempts.length} jobs`)
    await this.#pause.longer(error)
    for (const attempt of attempts) this.#end(attempt, { kind: 'released' })
  }

  #end(attempt: Attempt, outcome: Outcome): void {
    if (attempt.end()) this.#settler.add(attempt, outcome)
  }

  /** @throws HandlerThrew; ResultError; whatever cuts the connection */
  async #called(trx: Jobs['db'], attempts: readonly Attempt[], course: Course): Promise<readonly Ended[]> {
    if (areAborted(attempts)) throw new HandlerThrew(attempts[0]?.abortReason)
    const time = new BatchSignal(attempts)
    const lent = lendTransaction(trx)
    const letSleep = keepAwake(trx.withoutPlugins(), this.#scope.settings.lease / 3, (error) => {
      if (isOfConnection(error)) cutOff(attempts, time, error)
    })
    const call = this.#call(attempts, { trx: lent.trx, signal: time.signal })
    course.calls.push(call)
    try {
      const returned = await time.unlessCut(call)
      if (lent.underWay > 0)
        throw new LateStatementError(`The handler ended before ${lent.underWay} of its statements had`)
      return [...batchOutcomes(this.#scope, attempts, returned, true)]
    } catch (thrown) {
      throw thrown instanceof ResultError || thrown instanceof CutOffError ? thrown : new HandlerThrew(thrown)
    } finally {
      lent.takeBack()
      course.statement = lent.failure
      await letSleep()
    }
  }
}

/** The connection of a call is gone, while its handler is busy elsewhere. */
function cutOff(attempts: readonly Attempt[], time: BatchSignal, cause: unknown): void {
  time.cut(new CutOffError(cause))
  for (const attempt of attempts) {
    const job = `Job ${attempt.id}, attempt ${attempt.attempt}`
    attempt.abort(new LeaseLostError(`${job}: the transaction of its batch was cut off`))
  }
}
