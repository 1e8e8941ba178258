import type { DynamicModule, SelectType } from 'kysely'
import type { ColumnKey, Job, Queryable } from '../../schema/job-table.js'
import type { Logger } from '../logger.js'
import type { HandlerOutcome } from './handler-outcome.js'

/**
 * What a handler may return: an outcome (`snooze`, `cancel`, `retryIn`) or nothing; where the table has a `result`
 * column, what it holds; without one, anything, unused.
 */
export type HandlerResult<Row> =
  ColumnKey<Row, 'result'> extends infer Column extends keyof Row
    ? // biome-ignore lint/suspicious/noConfusingVoidType: what a function without a return statement returns
      SelectType<Row[Column]> | HandlerOutcome | undefined | void
    : unknown

/** The result that `context.complete` takes: that of the table's `result` column. */
type CompleteResult<Row> =
  ColumnKey<Row, 'result'> extends infer Column extends keyof Row ? SelectType<Row[Column]> : never

/** A `Transaction` or `ControlledTransaction` of a database that has the tables of `DB`. */
export interface OpenTransaction<DB> extends Queryable<DB> {
  readonly isTransaction: true
  /** As a property: in the method that kysely has, one table's name would pass for another's. */
  readonly dynamic: DynamicModule<DB> & { readonly table: <Table extends keyof DB & string>(table: Table) => unknown }
}

/** What an attempt is given beside its job. */
export interface JobContext<DB, Table extends keyof DB> {
  /** Aborts on timeout, lost lease, cancel and at the deadline of a shutdown; `signal.reason.code` says which. */
  readonly signal: AbortSignal
  /** The number of this attempt, from 1. */
  readonly attempt: number
  /** The worker's uuid, as in `locked_by`. */
  readonly worker: string
  readonly logger: Logger
  /**
   * Locks the job's row until the end of the user's own transaction, so that nothing keeps `complete` from writing to it. Call
   * it first in a `repeatable read` or `serializable` transaction that may take longer than a third of the lease.
   * @throws LeaseLostError when the job is no longer this attempt's
   * @example
   * await db.transaction().setIsolationLevel('repeatable read').execute(async (trx) => {
   *   await context.hold(trx)
   *   await report(trx)
   *   await context.complete(trx)
   * })
   */
  hold(trx: OpenTransaction<DB>): Promise<void>
  /**
   * Marks the job succeeded (deletes or archives it, where `succeeded` says so) inside the user's own transaction: its effects
   * and its completion commit together, or not at all. Call it last in the transaction; what the handler returns afterwards
   * is not written.
   * @throws LeaseLostError when the job is no longer this attempt's; the transaction must then roll back, and does
   *   where the error is let through.
   */
  complete(trx: OpenTransaction<DB>, result?: CompleteResult<DB[Table]>): Promise<void>
}

/**
 * Runs one attempt. To return is success, to throw is a retry with backoff, or failure without attempts left. `Seen` is the job as
 * it gets it: a `SelectedJob` where the worker has a `select`.
 */
export type Handler<DB, Table extends keyof DB, Seen = Job<DB, Table>> = (
  job: Seen,
  context: JobContext<DB, Table>,
) => HandlerResult<DB[Table]> | Promise<HandlerResult<DB[Table]>>
