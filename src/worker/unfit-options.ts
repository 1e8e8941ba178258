import { missingColumns } from '../queue/returned.js'
import type { JobTableDescription } from '../schema/inspect.js'
import type { Jobs } from '../schema/job-database.js'
import { archives } from './known-table.js'
import { WorkerOptionError } from './option-values.js'
import type { Settings } from './options.js'

/**
 * Refuses options that do not fit the real table.
 * @throws WorkerOptionError with the remedy
 */
export function refuseUnfit(settings: Settings, real: JobTableDescription, jobs: Jobs): void {
  refuseFinished(settings, real, jobs.name)
  const missing = missingColumns(jobs, settings.select ?? [], real.columns)
  if (missing.length === 0) return
  const names = missing.map((name) => `'${name}'`).join(', ')
  throw new WorkerOptionError(
    `select: ${jobs.name} has no column ${names}; there are ${[...real.columns.keys()].join(', ')}`,
  )
}

/** Rows are to leave the table, and can't. */
function refuseFinished(settings: Settings, { archive, mayDelete }: JobTableDescription, table: string): void {
  const { succeeded, finished } = settings
  const option = finished === 'archive' ? `finished: '${finished}'` : `succeeded: '${succeeded}'`
  if (succeeded === 'keep' && finished === 'keep') return
  if (archives(settings) && archive === undefined) {
    throw new WorkerOptionError(`${option}: ${table} has no archive; createJobArchive, in a migration, makes it`)
  }
  if (archives(settings) && archive?.flaw !== undefined) throw new WorkerOptionError(`${option}: ${archive.flaw}`)
  if (mayDelete) return
  throw new WorkerOptionError(
    `${option}: this role may not delete from ${table}; grant it DELETE (with row-level security by a policy too), or leave the option out`,
  )
}
