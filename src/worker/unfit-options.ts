import type { Expression, SqlBool } from 'kysely'
import { sqlState } from '../pg/error-class.js'
import { adviceOnCondition } from '../queue/condition-index.js'
import { missingColumns } from '../queue/returned.js'
import type { JobTableDescription } from '../schema/inspect.js'
import type { Jobs } from '../schema/job-database.js'
import { archives } from './known-table.js'
import { WorkerOptionError } from './option-values.js'
import type { Settings } from './options.js'

/**
 * Refuses options that do not fit the real table.
 * @returns what the table lacks for them and does not need, a sentence each
 * @throws WorkerOptionError with the remedy; whatever else the database says
 */
export async function fitted(settings: Settings, real: JobTableDescription, jobs: Jobs): Promise<string[]> {
  refuseFinished(settings, real, jobs.name)
  refuseColumns(settings, real, jobs)
  const { where } = settings
  if (where === undefined) return []
  await proveCondition(jobs, where)
  const columns = [...real.columns.keys()]
  const advice = await adviceOnCondition(jobs, { columns, where, lease: settings.lease }, real.table)
  return advice === undefined ? [] : [advice]
}

/** A condition that Postgres would refuse with each look. */
async function proveCondition(jobs: Jobs, where: Expression<SqlBool>): Promise<void> {
  try {
    await jobs.db.selectFrom(jobs.asJob).select('id').where(where).limit(0).execute()
  } catch (error) {
    if (!/^(?:22|42)/.test(sqlState(error) ?? '')) throw error
    const text = error instanceof Error ? error.message : String(error)
    throw new WorkerOptionError(`where: Postgres refuses the condition: ${text}`)
  }
}

function refuseColumns(settings: Settings, real: JobTableDescription, jobs: Jobs): void {
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
