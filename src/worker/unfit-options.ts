import { missingColumns } from '../queue/returned.js'
import type { JobTableDescription } from '../schema/inspect.js'
import type { Jobs } from '../schema/job-database.js'
import { type Settings, WorkerOptionError } from './options.js'

/**
 * Refuses options that do not fit the real table.
 * @throws WorkerOptionError with the remedy
 */
export function refuseUnfit({ deleteSucceeded, select = [] }: Settings, real: JobTableDescription, jobs: Jobs): void {
  if (deleteSucceeded && !real.mayDelete) {
    throw new WorkerOptionError(
      `deleteSucceeded: this role may not delete from ${jobs.name}; grant it DELETE (with row-level security by a policy too), or leave the option out`,
    )
  }
  const missing = missingColumns(jobs, select, real.columns)
  if (missing.length === 0) return
  const names = missing.map((name) => `'${name}'`).join(', ')
  throw new WorkerOptionError(
    `select: ${jobs.name} has no column ${names}; there are ${[...real.columns.keys()].join(', ')}`,
  )
}
