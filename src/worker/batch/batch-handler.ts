import type { SelectType, Transaction } from 'kysely'
import type { ColumnKey, Job } from '../../schema/job-table.js'
import type { Logger } from '../logger.js'
import type { HandlerOutcome } from '../run/handler-outcome.js'

/** What the `result` column of a table holds; where it has none, nothing. */
type Result<Row> = ColumnKey<Row, 'result'> extends infer Column extends keyof Row ? SelectType<Row[Column]> : never

/** What `Promise.allSettled` gives of a job; without a `result` column, what was returned goes nowhere. */
type Settled<Row> = PromiseSettledResult<
  ColumnKey<Row, 'result'> extends keyof Row
    ? // biome-ignore lint/suspicious/noConfusingVoidType: what a function without a return statement returns
      Result<Row> | HandlerOutcome | undefined | void
    : unknown
>

/** How one job of a batch ended: an `Error` fails its attempt; nothing, or what its `result` column holds, is success. */
// biome-ignore lint/suspicious/noConfusingVoidType: what a function without a return statement returns
export type JobOutcome<Row> = Result<Row> | HandlerOutcome | Error | undefined | void

/**
 * What a batch handler may return: nothing, where all jobs have succeeded; `snooze`, `retryIn` or `cancel` of all; an array of
 * one outcome for each job, in their order, as `Promise.allSettled` gives it, too; or a map from jobs, or their ids, to outcomes,
 * where those that it lacks have succeeded.
 */
export type BatchResult<DB, Table extends keyof DB, Seen = Job<DB, Table>> =
  // biome-ignore lint/suspicious/noConfusingVoidType: what a function without a return statement returns
  | void
  | undefined
  | HandlerOutcome
  | readonly (JobOutcome<DB[Table]> | Settled<DB[Table]>)[]
  | ReadonlyMap<Seen | IdOf<Seen>, JobOutcome<DB[Table]>>

type IdOf<Seen> = Seen extends { readonly id: infer Id } ? Id : never

/** What a batch is given beside its jobs. */
export interface BatchContext {
  /** Aborts on timeout, at the deadline of a shutdown, and when all its jobs were lost or cancelled; `signal.reason.code` says which. */
  readonly signal: AbortSignal
  /** The worker's uuid, as in `locked_by`. */
  readonly worker: string
  readonly logger: Logger
}

/** The same where the worker holds jobs by transactions. */
export interface BatchTransactionContext<DB> extends BatchContext {
  /**
   * The transaction in which the jobs of the batch are locked: what is written through it commits together with their
   * outcomes, or not at all. It is over when the handler ends, or its time is over.
   */
  readonly trx: Transaction<DB>
}

/** What a batch is given beside its jobs, by how its worker holds them. */
export type BatchContextOf<DB, Hold> = Hold extends 'transaction' ? BatchTransactionContext<DB> : BatchContext

/**
 * Runs one attempt of each job of a batch. To return is success of all, or what is said of each; to throw is a retry with
 * backoff of all, or failure of those without attempts left.
 */
export type BatchHandler<DB, Table extends keyof DB, Seen = Job<DB, Table>, Hold = 'lease'> = (
  jobs: readonly [Seen, ...Seen[]],
  context: BatchContextOf<DB, Hold>,
) => BatchResult<DB, Table, Seen> | Promise<BatchResult<DB, Table, Seen>>
