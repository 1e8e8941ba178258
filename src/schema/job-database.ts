import type { AliasedDynamicTableBuilder, Kysely } from 'kysely'
import type { JobColumns } from './columns.js'
import type { Home } from './engine.js'
import { OfValue, Stable } from './fitted.js'
import { writtenName } from './identify.js'
import type { ReadonlyQueryable } from './job-table.js'
import type { TableName } from './names.js'
import { own } from './own-names.js'
import { shown } from './shown.js'

/** What a job table is called in every statement: its columns are named without it wherever one table is in scope. */
export type JobAlias = typeof own.row

/** The one concrete database type below the doors: whatever its name, a table is a job table of this name. */
export type JobDatabase = Readonly<Record<JobAlias, JobColumns>>

/** A job table as every statement sees it: `jobs.db.updateTable(jobs.table)`. */
export interface Jobs {
  readonly db: Kysely<JobDatabase>
  /** The table under an alias of ours; its real name, schema and case are the business of the user's plugins. */
  readonly table: AliasedDynamicTableBuilder<JobAlias, JobAlias>
  /** The table under the name `job`, which is promised to the conditions that users write. */
  readonly asJob: Jobs['table']
  /** The table as the user writes it; to the types it is ours, so that the verbs can be called with it. */
  readonly name: JobAlias
  /** What tells a row from all others, as {@link JobTableDescription.key} has it; undefined: its id does. */
  readonly key: string | undefined
  /** The same for whoever sees a row beside those of other values; {@link key}, where statements are about all. */
  readonly rowKey: string | undefined
  /** The server, and where it has the table; undefined: a Postgres, as far as is known. */
  readonly home: Home | undefined
  /** The column by whose values the table is spread over nodes: what locks or writes is of one value at a time. */
  readonly distributedBy: string | undefined
}

/** What is known of a table, as `inspectJobTable` tells it. */
export interface KnownOfTable {
  /** What tells a row from all others. Default: its id does. */
  readonly key?: string | undefined
  /** What the server can do, and where it has the table. Default: it is Postgres. */
  readonly home?: Home | undefined
}

/**
 * The one cast of the project. A generic table handed down leaks into every `set()` and does not compile;
 * the doors have proven (by {@link JobTable}) that the columns are there, so below them one type serves.
 */
export function jobsOf<DB>(db: ReadonlyQueryable<DB>, table: string, { key, home }: KnownOfTable = {}): Jobs {
  if (typeof table !== 'string')
    throw new TypeError(`The table is ${shown(table)}; give the name of a job table, as in 'send_mail_jobs'`)
  const jobs = db as unknown as Kysely<JobDatabase> // the door's types vouch for the nine columns
  const name = table as JobAlias // any name stands for ours in the types
  const real = jobs.dynamic.table(name)
  // A table that is called `job` has no alias here: `withSchema` would take the alias for the table.
  const asJob = (table === 'job' || table.endsWith('.job') ? table : real.as('job')) as unknown as Jobs['asJob'] // its columns are the same
  const distributedBy = home?.placement.kind === 'distributed' ? home.placement.by : undefined
  return { db: fitted(jobs, home), table: real.as(own.row), asJob, name, key, rowKey: key, home, distributedBy }
}

/**
 * A table by its real name, past all plugins of the user's. Not as `schema.name`: kysely trims what stands beside the
 * dot, and a name may begin or end with a space.
 */
export function realJobsOf<DB>(
  db: ReadonlyQueryable<DB>,
  { schema, name }: TableName,
  { key, home }: KnownOfTable = {},
): Jobs {
  const jobs = jobsOf(db, name, { key, home })
  return { ...jobs, db: fitted(jobs.db.withoutPlugins().withSchema(schema), home) }
}

/** A handle whose statements its server takes. */
function fitted(db: Jobs['db'], home: Home | undefined): Jobs['db'] {
  return home === undefined || home.engine.volatileInUpdate ? db : db.withPlugin(new Stable())
}

/** The jobs that have one value (null: none has it) in the column by which their table is distributed: a job table of one node, in which the id tells a row from all others. */
export function jobsOfValue(jobs: Jobs, value: string | null): Jobs {
  const { db, distributedBy } = jobs
  if (distributedBy === undefined) return jobs
  return {
    ...jobs,
    db: db.withPlugin(new OfValue(writtenName(db, jobs.name).name, distributedBy, value)),
    key: undefined,
    distributedBy: undefined,
  }
}
