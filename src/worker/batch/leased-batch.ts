import { endingSilence } from '../../predicates/kept.js'
import { heartbeat } from '../../queue/heartbeat.js'
import { backToHeld, HeldRowsError, markHeld } from '../../queue/held.js'
import { holdRows } from '../../queue/hold.js'
import type { Outcome } from '../../queue/outcome.js'
import type { CompiledSettle } from '../../queue/settle.js'
import { type Jobs, realJobsOf } from '../../schema/job-database.js'
import { withDeadline } from '../../watch/deadline.js'
import { lend } from '../ask.js'
import type { BatchEnd, BatchWork } from '../hold/held-batch.js'
import { type Ended, isOfConnection } from '../hold/write-held.js'
import { renewAfter } from '../lease/lease-renewer.js'
import type { Attempt, Holder } from '../run/attempt.js'
import type { WorkerScope } from '../scope.js'
import { entryOf } from '../settle/batch.js'
import { tellLost } from '../settle/tell.js'

/** No transaction was to be had, so the handler was not called. */
export class NotBegunError extends Error {
  constructor(cause: unknown) {
    super('The transaction of a batch did not begin', { cause })
  }
}

/** A transaction that has locked rows, and waits for its end. */
interface Open {
  readonly trx: Jobs['db']
  /** Those whose rows it has. */
  readonly ours: readonly Attempt[]
  commit(): Promise<void>
  rollBack(): Promise<void>
}

/** A batch that is held by leases, in a transaction of its own that locks its rows by their fence. */
export class LeasedBatch implements Holder {
  readonly #scope: WorkerScope
  readonly #settle: CompiledSettle
  /** Those whose time was over meanwhile. */
  readonly ended: Ended[] = []

  constructor(scope: WorkerScope, settle: CompiledSettle) {
    this.#scope = scope
    this.#settle = settle
  }

  add(attempt: Attempt, outcome: Outcome): void {
    this.ended.push([attempt, outcome])
  }

  async end(): Promise<void> {}

  /**
   * Has the batch handled and its outcomes written. Its rows are locked, so that no lease has to be renewed meanwhile.
   * @param keep rows stay in the table that were to go to its archive
   * @throws NotBegunError; why what was written is undone
   */
  async run(attempts: readonly Attempt[], work: BatchWork, keep: boolean): Promise<BatchEnd> {
    const open = await this.#open(attempts).catch((error) => {
      throw new NotBegunError(error)
    })
    for (const attempt of open.ours) attempt.hold(this)
    try {
      return await this.#inside(open, work, keep)
    } finally {
      for (const attempt of open.ours) attempt.hold(undefined)
    }
  }

  async #inside(open: Open, work: BatchWork, keep: boolean): Promise<BatchEnd> {
    const { trx, ours, commit } = open
    try {
      const ended = ours.length === 0 ? [] : await work(trx, ours)
      await this.#inTime(this.#write(trx.withoutPlugins(), ended, keep))
    } catch (error) {
      await this.#undo(open, isOfConnection(error))
      throw error
    }
    try {
      await this.#inTime(commit())
      return 'written'
    } catch (error) {
      if (!isOfConnection(error)) throw error
      this.#scope.report(error, `committing a batch of ${ours.length} jobs`)
      return 'unsure'
    }
  }

  /** While their rows were locked nobody renewed their leases, so that they may be over: they begin anew in the same commit. */
  async #undo({ trx, ours, commit, rollBack }: Open, isCut: boolean): Promise<void> {
    const { jobs, worker, settings } = this.#scope
    let renewedAt = performance.now()
    const renew = async () => {
      const { db } = realJobsOf(trx, this.#scope.table)
      await backToHeld(db)
      await heartbeat(db, jobs.name, ours, { worker, key: jobs.key, home: jobs.home })
      await commit()
    }
    try {
      if (isCut) throw new Error('cut off')
      await this.#inTime(renew())
    } catch {
      await this.#inTime(rollBack()).catch(() => {}) // a connection that is gone has rolled it back
      renewedAt -= settings.lease * renewAfter // so that they are looked for at the next beat
    }
    for (const attempt of ours) attempt.renewed(renewedAt)
  }

  /** It has the connection until its end. */
  #open(attempts: readonly Attempt[]): Promise<Open> {
    const { userJobs, settings } = this.#scope
    const late = (open: Open) => void open.rollBack()
    return lend<Open>(
      userJobs.db,
      settings.lease / 3,
      'locking the rows of a batch',
      async (connection, answer) => {
        const end = Promise.withResolvers<void>()
        const over = connection
          .transaction()
          .setIsolationLevel('read committed')
          .execute(async (trx) => {
            const ours = await this.#lock(trx.withoutPlugins(), attempts)
            const ending = (how: () => void) => {
              how()
              return over
            }
            const commit = () => ending(() => end.resolve())
            const rollBack = () => ending(() => end.reject(new Error('rolled back'))).catch(() => {})
            answer({ trx, ours, commit, rollBack })
            await end.promise
          })
        await over
      },
      late,
    )
  }

  async #lock(trx: Jobs['db'], attempts: readonly Attempt[]): Promise<Attempt[]> {
    const { jobs, table, worker, settings } = this.#scope
    await trx.selectNoFrom(endingSilence(settings.lease).as('set')).execute()
    const deletes = settings.succeeded !== 'keep' || settings.finished !== 'keep'
    const held = new Set(await holdRows(realJobsOf(trx, table, jobs), attempts, { worker, deletes }))
    const taken = attempts.filter((attempt) => attempt.isOpen && !held.has(attempt))
    for (const attempt of taken) tellLost(this.#scope, attempt, 'its row was taken, cancelled or deleted')
    await markHeld(trx)
    return attempts.filter((attempt) => attempt.isOpen && held.has(attempt))
  }

  async #write(trx: Jobs['db'], ended: readonly Ended[], keep: boolean): Promise<void> {
    const entries = ended.map(([attempt, outcome]) => ({ ...entryOf(attempt, outcome), keep }))
    const written = await this.#settle(trx, entries)
    if (written.length < entries.length) throw new HeldRowsError(entries.length, written.length)
  }

  #inTime<Value>(statement: Promise<Value>): Promise<Value> {
    return withDeadline(statement, this.#scope.settings.lease, 'a batch')
  }
}
