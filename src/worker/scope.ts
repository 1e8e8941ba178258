import type { KeptLimits } from '../queue/allowance.js'
import type { Claim } from '../queue/claim.js'
import type { FinishedRows } from '../queue/finished.js'
import type { JobArchive } from '../schema/archive.js'
import type { OptionalColumnName } from '../schema/columns.js'
import type { Engine } from '../schema/engines/engine.js'
import type { Jobs } from '../schema/job-database.js'
import type { TableName } from '../schema/names.js'
import type { ToldEvent, WorkerEvents } from './events.js'
import type { WorkerObserver } from './observer.js'
import type { Settings } from './options.js'
import type { PassedOver } from './passed-over.js'
import type { PauseReader } from './pause/pause-reader.js'
import type { Pauses } from './pause/pauses.js'
import type { ProcessShare } from './process-share.js'
import type { Tally } from './tally.js'

/** The optional columns that verbs use on the worker's behalf. */
export type UsedColumn = OptionalColumnName

/** What all parts of a started worker know. */
export interface WorkerScope {
  /** The worker's uuid: `locked_by` of what it claims. */
  readonly worker: string
  readonly settings: Settings
  readonly share: ProcessShare
  /** The table through the user's plugins: rows come as the user's types say. */
  readonly userJobs: Jobs
  /** The table by its real name, past all plugins: for what no user sees. */
  readonly jobs: Jobs
  /** Whichever of both asks for what may be claimed: a condition of the user's needs their plugins. */
  readonly claimedJobs: Jobs
  /** The table as the catalog has it. */
  readonly table: TableName
  /** Of another identity when they have changed: what is built for them is built anew. */
  readonly columns: readonly UsedColumn[]
  /** What becomes of the rows of jobs that have ended; of another identity when that has changed. */
  readonly finished: FinishedRows
  /** The table's archive, whether it can take jobs or not. */
  readonly archive: JobArchive | undefined
  /** What the worker may take; another value where the columns have changed, what is passed over or paused. */
  readonly claim: Claim
  /** What is paused, as far as is known. */
  readonly pauses: Pauses
  /** Reads it again. */
  readonly pauseReader: PauseReader
  /** Rows whose claim was refused. */
  readonly passedOver: PassedOver
  /** How many connections the pool may have, where it tells. */
  readonly connections: number | undefined
  /** What the server can do, for this table. */
  readonly engine: Engine
  /** Where limits of single keys are kept, and how far rates are used; undefined: nowhere. */
  readonly kept: KeptLimits | undefined
  /** Of a distributed table the values of which jobs have ended here since a claim has seen it; undefined: it is none. */
  readonly freedValues: Set<string> | undefined
  /** The table's status can not hold `job_status_cancelled`. */
  readonly seedStatuses: boolean
  /** A row that was fetched: it may show that the table's columns have changed. */
  saw(row: object): void
  /** When (monotonic milliseconds) a handler first completed in a transaction whose snapshot was older than a heartbeat. */
  readonly snapshots: { conflictedAt: number | undefined }
  /** Whether the archive has refused a row in a transaction that was to complete its job. */
  readonly refusals: { seen: boolean }
  /** A statement failed: it may show that the table has changed. Resolves when it was looked at again, where that may help. */
  failed(error: unknown): Promise<void>
  /** Counts what is told. */
  readonly tally: Tally
  /** Undefined: nobody looks. */
  readonly observer: WorkerObserver | undefined
  /** Whether there are listeners to an event, or lines of it in the log. */
  hears(event: ToldEvent): boolean
  /** Tells listeners and the log. */
  tell<Name extends ToldEvent>(name: Name, payload: WorkerEvents<object>[Name][0]): void
  /** Reports an error that the worker lives through, and while doing what. */
  report(error: unknown, doing: string): void
}
