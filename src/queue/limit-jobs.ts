import { type Kysely, type RawBuilder, sql } from 'kysely'
import { sqlState } from '../pg/error-class.js'
import { identifyTable } from '../schema/identify.js'
import { type JobDatabase, jobsOf } from '../schema/job-database.js'
import type { JobTable, Queryable, ReadonlyQueryable } from '../schema/job-table.js'
import type { KeyValues } from '../schema/key-column.js'
import { quoted, quotedName, type TableName } from '../schema/names.js'
import { shown } from '../schema/shown.js'
import { limitsTable, sideTable } from '../schema/side-table.js'
import { asJsonText, textsOf } from '../schema/text.js'
import { tellWorkers } from './notify.js'
import { realNames } from './returned.js'

/** Which limit, and how much. */
export interface LimitOptions<Row> {
  /** The key, by the columns of the workers' `limit.by`. Default: all jobs of the table, for workers whose limit has no `by`. */
  readonly where?: KeyValues<Row> | undefined
  /** The most jobs that may run: 0 lets none begin. Undefined: as the workers' options say. */
  readonly max: number | undefined
}

/** A limit that was set. */
export interface KeptLimit {
  /** The key: its columns, as the database has them, and their values; none: all jobs of the table. */
  readonly where: Readonly<Record<string, unknown>>
  readonly max: number
}

/** A limit that can't be set; the message has the reason. */
export class LimitError extends TypeError {
  override readonly name = 'LimitError'
  readonly code = 'INVALID_LIMIT'
}

/**
 * Sets how many jobs of a key, or of the table, may run, in place of what the `limit` of its workers says: from their next claim on, as
 * what runs goes on. By the table that `createJobLimits` makes; workers that have started before it was made don't see it.
 *
 * @example await limitJobs(db, 'mail_jobs', { where: { tenant_id: 5 }, max: 10 })
 * @throws LimitError, SideTableError, NoSuchTableError
 */
export async function limitJobs<DB, Table extends keyof DB & string>(
  db: Queryable<DB>,
  table: JobTable<DB, Table>,
  { where = {}, max }: LimitOptions<DB[Table]>,
): Promise<void> {
  if (max !== undefined && !(Number.isInteger(max) && max >= 0 && max <= 2 ** 31 - 1))
    throw new LimitError(
      `limitJobs: max ${shown(max)} is invalid; give a whole number of jobs, or undefined for the workers' own`,
    )
  const jobs = jobsOf(db, table)
  const of = await identifyTable(db, table)
  const limits = await limitsOf(jobs.db, 'write')
  const key = keyOf(of, realNames(jobs, Object.keys(where)), where)
  const limit = max === undefined ? sql`null` : sql`${max}::integer`
  const query = sql`
    insert into ${limits.name} as kept (job_schema, job_table, key, max) values (${of.schema}, ${of.name}, ${key}, ${limit})
    on conflict (job_schema, job_table, key) do update set max = excluded.max`
  try {
    await limits.db.executeQuery(query.compile(limits.db))
  } catch (cause) {
    if (!/^(?:22|42703)/.test(sqlState(cause) ?? '')) throw cause
    throw new LimitError(`limitJobs: where is invalid: Postgres says ${String(cause)}`, { cause })
  }
  await tellWorkers(jobs, of, { kind: 'due', in: 0 })
}

/**
 * The limits that `limitJobs` has set for a table.
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
    where job_schema = ${of.schema} and job_table = ${of.name} and max is not null order by key`
  const texts = await textsOf(limits.db, query.compile(limits.db))
  return texts.map((text) => {
    const [where, max] = JSON.parse(text ?? '') as [KeptLimit['where'], number] // just made
    return { where, max }
  })
}

async function limitsOf(db: Kysely<JobDatabase>, use: 'read' | 'write') {
  const table = await sideTable(db, limitsTable, use)
  return { db: db.withoutPlugins(), name: sql.raw(quotedName(table)) }
}

/** Values as their columns have them, so that what is written as 5, '5' or 5n is one key. */
function keyOf(of: TableName, names: readonly string[], where: object): RawBuilder<unknown> {
  const entries = Object.entries(where)
  const none = entries.find(([, value]) => value === undefined || value === null)
  if (none !== undefined)
    throw new LimitError(`limitJobs: where.${none[0]}: ${none[1]} is invalid; a key has a value in each of its columns`)
  const given = JSON.stringify(Object.fromEntries(names.map((name, n) => [name, textOf(entries[n]?.[1])])))
  if (names.length === 0) return sql`'{}'::jsonb`
  const pairs = names.flatMap((name) => [sql`${name}::text`, sql`(given.row).${sql.raw(quoted(name))}`])
  const row = sql`jsonb_populate_record(null::${sql.raw(quotedName(of))}, ${given}::jsonb)`
  return sql`(select pg_catalog.jsonb_build_object(${sql.join(pairs)}) from (select ${row} as row) as given)`
}

const textOf = (value: unknown) => (value instanceof Date ? value.toISOString() : String(value))
