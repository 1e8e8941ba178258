import type { ColumnType, Generated } from 'kysely'
import type { JobStatus } from './statuses.js'

/** A job's identity: uuid and text columns give a string, int a number, bigint whatever the driver is set to. */
export type JobId = string | number | bigint

/** A timestamp as the queue writes it; what reading one gives is the user's driver's choice, so we never read one. */
type Timestamp = ColumnType<Date | string, Date | string | undefined, Date | string>

/**
 * The columns every statement of ours is written against, whatever the user's table calls its payload.
 * The first nine make a table a job table (they are the seed's, unchanged); the rest are optional and used
 * only where the real table has them.
 */
export interface JobColumns {
  id: ColumnType<JobId, JobId | undefined, never>
  created_at: Timestamp
  updated_at: Timestamp
  run_at: Timestamp
  status: Generated<JobStatus>
  last_error: string | null
  attempts_count: Generated<number>
  locked_at: ColumnType<Date | string | null, never, Date | string | null>
  locked_by: string | null
  priority: Generated<number>
  max_attempts: number | null
  result: ColumnType<unknown, never, unknown>
  started_at: ColumnType<Date | string | null, never, Date | string | null>
  finished_at: ColumnType<Date | string | null, never, Date | string | null>
  errors: ColumnType<unknown, never, unknown>
}

/** The nine columns that make a table a job table, in the seed's order. */
export const jobColumnNames = [
  ...(['id', 'created_at', 'updated_at', 'status', 'last_error'] as const),
  ...(['attempts_count', 'locked_at', 'locked_by', 'run_at'] as const),
] as const

export type JobColumnName = (typeof jobColumnNames)[number]

/** Columns that add an ability where the table has them (DESIGN section 2). */
export const optionalColumnNames = [
  'priority',
  'max_attempts',
  'result',
  'started_at',
  'finished_at',
  'errors',
] as const

export type OptionalColumnName = (typeof optionalColumnNames)[number]

/** Columns that only the queue writes: `enqueue` refuses them, in the types and at run time. */
export type QueueManagedColumn = Exclude<keyof JobColumns, 'id' | 'run_at' | 'priority' | 'max_attempts'>

export const queueManagedColumns = [...jobColumnNames, ...optionalColumnNames].filter(
  (name): name is QueueManagedColumn => !['id', 'run_at', 'priority', 'max_attempts'].includes(name),
)
