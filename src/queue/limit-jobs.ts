import { type Kysely, sql } from 'kysely'
import { identifyTable } from '../schema/identify.js'
import { type JobDatabase, jobsOf } from '../schema/job-database.js'
import type { JobTable, Queryable, ReadonlyQueryable } from '../schema/job-table.js'
import type { JobKey } from '../schema/key-column.js'
import { quotedName } from '../schema/names.js'
import { shown } from '../schema/shown.js'
import { limitsTable, sideTable } from '../schema/side-table.js'
import { asJsonText, textsOf } from '../schema/text.js'
import { unlessUndone } from '../schema/undone.js'
import { keyGiven } from './key-given.js'
import { tellWorkers } from './notify.js'
import type { PausedKey } from './paused-keys.js'
import { isOf } from './pauses.js'

/** Which limit, and how much. */
export interface LimitOptions<Row> {
  /** The key, by the columns of the workers' `limit.by`. Default: all jobs of the table, for workers whose limit has no `by`. */
  readonly where?: JobKey<Row> | undefined
  /** The most jobs that may run: 0 lets none begin. Undefined: as the workers' options say. */
  readonly max: number | undefined
}

/** A limit that was set. */
export interface KeptLimit {
  /** The key, by its columns' names in the database, each value as Postgres writes it; undefined: all jobs of the table. */
  readonly where: PausedKey | undefined
  readonly max: number
}

/** A limit that can't be set; the message has the reason. */
export class LimitError extends TypeError {
  override readonly name = 'LimitError'
  readonly code = 'INVALID_LIMIT'
}

/**
 * Sets how many jobs of a key, or of the table, may run, in place of what the `limit` of its workers says: from their next claim on, as
 * what runs goes on. By the table that `createJobLimits` makes; workers that have started before it was made find it within ten minutes. Heeded by
 * workers whose `limit` is a number by the same columns: not by those without `limit`, nor with a limit in a column, by other columns, or (with
 * `where`) of the whole table. Such a worker warns.
 *
 * @example await limitJobs(db, 'mail_jobs', { where: { tenant_id: 5 }, max: 10 })
 * @throws LimitError, JobKeyError, SideTableError, NoSuchTableError, JobTableError
 */
export async function limitJobs<DB, Table extends keyof DB & string>(
  db: Queryable<DB>,
  table: JobTable<DB, Table>,
  { where, max }: LimitOptions<DB[Table]>,
): Promise<void> {
  if (max !== undefined && !(Number.isInteger(max) && max >= 0 && max <= 2 ** 31 - 1))
    throw new LimitError(
      `limitJobs: max ${shown(max)} is invalid; give a whole number of jobs, or undefined for the workers' own`,
    )
  const jobs = jobsOf(db, table)
  const key = JSON.stringify(await keyGiven(jobs, where))
  const of = await identifyTable(db, table)
  const limits = await limitsOf(jobs.db, 'write')
  const query =
    max === undefined
      ? sql`delete from ${limits.name} where ${isOf(of)} and kind = 'limit' and key = ${key}::jsonb`
      : sql`
    insert into ${limits.name} as kept (job_schema, job_table, key, kind, max) values (${of.schema}, ${of.name}, ${key}::jsonb, 'limit', ${max}::integer)
    on conflict (job_schema, job_table, key, kind) do update set max = excluded.max`
  await unlessUndone(limits.db, () => limits.db.executeQuery(query.compile(limits.db)))
  await tellWorkers(jobs, of, { kind: 'due', in: 0 })
}

/**
 * The limits that `limitJobs` has set for a table, the values of keys as texts.
 * @example const limits = await listLimits(db, 'mail_jobs')
 * @throws SideTableError, NoSuchTableError
 */
export async function listLimits<DB, Table extends keyof DB & string>(
  db: ReadonlyQueryable<DB>,
  table: JobTable<DB, Table>,
): Promise<KeptLimit[]> {
  const jobs = jobsOf(db, table)
  const of = await identifyTable(jobs.db, table)
  const limits = await limitsOf(jobs.db, 'read')
  const query = sql`
    select ${asJsonText([sql`key`, sql`max`])} from ${limits.name}
    where ${isOf(of)} and kind = 'limit' order by key`
  const texts = await textsOf(limits.db, query.compile(limits.db))
  return texts.map((text) => {
    const [where, max] = JSON.parse(text ?? '') as [PausedKey, number] // just made
    return { where: Object.keys(where).length === 0 ? undefined : where, max }
  })
}

async function limitsOf(db: Kysely<JobDatabase>, use: 'read' | 'write') {
  const table = await sideTable(db, limitsTable, use)
  return { db: db.withoutPlugins(), name: sql.raw(quotedName(table)) }
}
