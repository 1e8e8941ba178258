import type { JobId } from '../schema/columns.js'

/** A job that the table did not let be changed. */
export interface RefusedJob {
  readonly id: JobId
  /** What Postgres said; its `detail` may hold values of the row. */
  readonly error: unknown
}

/** The ids of the jobs that were changed, and beside them those that were refused. */
export type ChangedJobs = JobId[] & { readonly refused: readonly RefusedJob[] }
