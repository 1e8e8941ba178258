import type { OneJob } from '../../observe/one-job.js'
import type { JobView } from '../../observe/view.js'
import type { CliTable } from '../open/tables.js'

/** A job, and where it was found. */
export interface ShownJob {
  readonly table: CliTable
  readonly view: JobView
  readonly job: OneJob
}
