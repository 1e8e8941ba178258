import type { AliasedDynamicTableBuilder, Kysely } from 'kysely'
import type { JobColumns } from './columns.js'
import type { ReadonlyQueryable } from './job-table.js'
import type { TableName } from './names.js'

/** The one concrete database type below the doors: whatever its name, a table is a job table called `job`. */
export interface JobDatabase {
  job: JobColumns
}

/** A job table as every statement sees it: `jobs.db.updateTable(jobs.table)`, columns as `job.status`. */
export interface Jobs {
  readonly db: Kysely<JobDatabase>
  /** The table under the alias `job`; its real name, schema and case are the business of the user's plugins. */
  readonly table: AliasedDynamicTableBuilder<'job', 'job'>
  /** The table as the user writes it; to the types it is 'job', so that the verbs can be called with it. */
  readonly name: 'job'
}

/**
 * The one cast of the project. A generic table handed down leaks into every `set()` and does not compile;
 * the doors have proven (by {@link JobTable}) that the columns are there, so below them one type serves.
 */
export function jobsOf<DB>(db: ReadonlyQueryable<DB>, table: string): Jobs {
  const jobs = db as unknown as Kysely<JobDatabase> // the door's types vouch for the nine columns
  const name = table as 'job' // any name stands for 'job' in the types
  return { db: jobs, table: jobs.dynamic.table(name).as('job'), name }
}

/**
 * A table by its real name, past all plugins of the user's. Not as `schema.name`: kysely trims what stands beside the
 * dot, and a name may begin or end with a space.
 */
export function realJobsOf<DB>(db: ReadonlyQueryable<DB>, { schema, name }: TableName): Jobs {
  const jobs = jobsOf(db, name)
  return { ...jobs, db: jobs.db.withoutPlugins().withSchema(schema) }
}
