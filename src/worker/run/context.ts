import { concernsAll, sqlState } from '../../pg/error-class.js'
import { undoable } from '../../queue/chunks.js'
import { fateOf } from '../../queue/finished.js'
import { isSnapshot } from '../../queue/held.js'
import { holdRows } from '../../queue/hold.js'
import { type CompiledSettle, settle } from '../../queue/settle.js'
import { statesOf } from '../../queue/state.js'
import { type Jobs, realJobsOf } from '../../schema/job-database.js'
import type { Queryable } from '../../schema/job-table.js'
import { ask } from '../ask.js'
import type { Logger } from '../logger.js'
import { seenBy } from '../observer.js'
import type { WorkerScope } from '../scope.js'
import { LeaseLostError } from './abort-reason.js'
import type { Attempt } from './attempt.js'
import { jsonOf } from './result.js'

/** What a handler gets, as the parts below the door know it. */
export interface AnyContext {
  readonly signal: AbortSignal
  readonly attempt: number
  readonly worker: string
  readonly logger: Logger
  hold(trx: Queryable<unknown>): Promise<void>
  complete(trx: Queryable<unknown>, result?: unknown): Promise<void>
}

export type AnyHandler = (job: object, context: AnyContext) => unknown

/** Where a context has its attempt: under no key that a log or a copy shows. */
const source = Symbol('attempt')

/**
 * Of fast jobs few ask for their signal, and to make one costs a microsecond. One accessor for all contexts is a fifth of that; each has
 * it as its own, as a context may be spread.
 */
const lazySignal: PropertyDescriptor & ThisType<{ readonly [source]: Attempt }> = {
  enumerable: true,
  configurable: true,
  get() {
    return this[source].signal
  },
  set(signal) {
    Object.defineProperty(this, 'signal', { value: signal, enumerable: true, configurable: true, writable: true })
  },
}

export function contextOf(scope: WorkerScope, attempt: Attempt): AnyContext {
  const context: Omit<AnyContext, 'signal'> = {
    attempt: attempt.attempt,
    worker: scope.worker,
    logger: scope.settings.logger,
    hold: (trx) => hold(scope, attempt, trx),
    complete: (trx, result) => complete(scope, attempt, trx, result),
  }
  Object.defineProperty(context, source, { value: attempt, configurable: true, writable: true })
  return Object.defineProperty(context, 'signal', lazySignal) as AnyContext // it has one now
}

/** What Postgres says where a transaction's snapshot is older than a write to a row that it writes itself. */
const serializationFailure = '40001'

/**
 * The job's row was written to after the snapshot of the transaction that was to complete it, by the worker's own heartbeat
 * most likely. It has Postgres' own code, for those who look for it.
 */
class SnapshotError extends Error {
  override readonly name = 'SnapshotError'
  readonly code = serializationFailure
}

async function hold(scope: WorkerScope, attempt: Attempt, trx: Queryable<unknown>): Promise<void> {
  const jobs = jobsIn(scope, trx, 'hold')
  await attempt.holder?.end()
  const held = attempt.holdsLease
    ? await inSnapshot(scope, attempt, () => holdRows(jobs, [attempt], { worker: scope.worker, deletes: false }))
    : []
  if (held.length > 0) return
  if (await isUnseen(scope, attempt, jobs)) throw conflict(scope, attempt)
  throw lost(attempt, 'no longer its lease; nothing may be held')
}

/** Settles within the user's transaction, by the table's real name, whatever plugins their handle has. */
async function complete(scope: WorkerScope, attempt: Attempt, trx: Queryable<unknown>, result: unknown): Promise<void> {
  const jobs = jobsIn(scope, trx, 'complete')
  await attempt.holder?.end()
  const { worker, columns, finished } = scope
  const options = { worker, columns, key: scope.jobs.key, home: scope.jobs.home, ...finished }
  const json = columns.includes('result') && finished.succeeded !== 'delete' ? jsonOf(result) : undefined
  const outcome = { id: attempt.id, attempt: attempt.attempt, key: attempt.key, kind: 'succeeded', json } as const
  const settled: CompiledSettle = (db, outcomes) => settle(db, jobs.name, outcomes, options)
  const seen = seenBy(scope.observer, settled, 'completed')
  const write = (keep?: boolean) => seen(jobs.db, [{ ...outcome, ...(keep && { keep }) }])
  const end = () => (typeof fateOf('succeeded', finished) === 'object' ? archiving(scope, jobs, write) : write())
  const written = attempt.holdsLease ? await inSnapshot(scope, attempt, end) : []
  if (written.length === 0) {
    if (attempt.completed) throw lostError(attempt, 'already completed by this attempt')
    if (await isUnseen(scope, attempt, jobs)) throw conflict(scope, attempt)
    throw lost(attempt, 'no longer its lease; nothing may be completed')
  }
  attempt.complete()
}

/**
 * An archive that refuses a row must not keep its job from being completed: from the first refusal on each is undone by a
 * savepoint, and the row kept. It costs two round trips, so not before.
 */
async function archiving<Value>(
  scope: WorkerScope,
  jobs: Jobs,
  write: (keep?: boolean) => Promise<Value>,
): Promise<Value> {
  try {
    return await (scope.refusals.seen ? undoable(jobs, write) : write())
  } catch (error) {
    void scope.failed(error)
    if (!scope.refusals.seen || concernsAll(error)) {
      scope.refusals.seen ||= !concernsAll(error)
      throw error
    }
    scope.report(error, 'completing a job; its row is kept')
    return write(true)
  }
}

function jobsIn(scope: WorkerScope, trx: Queryable<unknown>, verb: 'hold' | 'complete'): Jobs {
  if (trx.isTransaction) return realJobsOf(trx, scope.table, scope.jobs)
  throw new TypeError(
    `context.${verb}(trx) takes a transaction: call it within db.transaction().execute(async (trx) => ...)`,
  )
}

/** The worker learns from the first such failure: from then on it keeps leases without writing to their rows. */
async function inSnapshot<Value>(scope: WorkerScope, attempt: Attempt, write: () => Promise<Value>): Promise<Value> {
  try {
    return await write()
  } catch (error) {
    if (sqlState(error) !== serializationFailure) throw error
    throw conflict(scope, attempt, error)
  }
}

/** Whether the lease of an attempt began after the snapshot of the transaction that looked for it, as its row was held before. */
async function isUnseen({ jobs, worker, settings }: WorkerScope, attempt: Attempt, { db }: Jobs): Promise<boolean> {
  if (!attempt.wasHeld || !attempt.holdsLease || !(await isSnapshot(db))) return false
  const look = (db: Jobs['db']) => statesOf({ ...jobs, db }, [attempt])
  const state = (await ask(jobs.db, settings.lease / 6, 'job states', look)).get(attempt)
  return state?.worker === worker && state.attempt === attempt.attempt
}

function conflict(scope: WorkerScope, attempt: Attempt, cause?: unknown): SnapshotError {
  scope.snapshots.conflictedAt ??= performance.now()
  attempt.conflict()
  const text = `Job ${attempt.id}, attempt ${attempt.attempt}: its row was written to after this transaction began, by this worker's heartbeat most likely; call context.hold(trx) first in a long transaction of this isolation level`
  return new SnapshotError(text, { cause })
}

function lost(attempt: Attempt, why: string): LeaseLostError {
  const error = lostError(attempt, why)
  attempt.abort(error)
  return error
}

function lostError({ id, attempt }: Attempt, why: string): LeaseLostError {
  return new LeaseLostError(`Job ${id}, attempt ${attempt}: ${why}`)
}
