import { type Kysely, type RawBuilder, sql } from 'kysely'
import { later, timestamp } from '../predicates/clock.js'
import { type Duration, milliseconds } from '../schema/duration.js'
import { identifyTable } from '../schema/identify.js'
import { type JobDatabase, type Jobs, jobsOf } from '../schema/job-database.js'
import type { JobTable, Queryable, ReadonlyQueryable } from '../schema/job-table.js'
import type { JobKey } from '../schema/key-column.js'
import { quotedName, type TableName } from '../schema/names.js'
import { shown } from '../schema/shown.js'
import { pausesTable, sideTable } from '../schema/side-table.js'
import { asText, textsOf } from '../schema/text.js'
import { unlessUndone } from '../schema/undone.js'
import { keyGiven } from './key-given.js'
import { tellWorkers } from './notify.js'
import { isActive, isOf, moment, type Pause, pausesOf } from './pauses.js'

/** An option that is invalid; the message has the reason. */
export class PauseOptionError extends TypeError {
  override readonly name = 'PauseOptionError'
  readonly code = 'INVALID_PAUSE'
}

export interface PauseOptions<Row> {
  /** The key: only jobs with these values are paused. Null is no value: a job whose column is null is of no key. Default: the whole table. */
  readonly where?: JobKey<Row> | undefined
  /** Why, for whoever looks. Default: none. */
  readonly reason?: string | undefined
  /** When it ends by itself: in so long, or then, by the database's clock. Default: when it is resumed. */
  readonly until?: Duration | Date | undefined
}

/**
 * Pauses a job table, or a key of it: within a second no worker of any process begins its jobs any more. Those that run end as ever, jobs go
 * on to be enqueued, and leases to be renewed and rescued. It is remembered in the table that `createJobPauses` makes, until
 * {@link resumeJobs} or `until`; called again for the same, reason and `until` are as given last. In a transaction it holds from its commit on.
 *
 * @throws SideTableError without that table; JobKeyError, PauseOptionError, DurationError, NoSuchTableError, JobTableError
 * @example await pauseJobs(db, 'send_mail_jobs', { where: { tenant_id: 5 }, reason: 'the bill is not paid', until: '7d' })
 */
export async function pauseJobs<DB, Table extends keyof DB & string>(
  db: Queryable<DB>,
  table: JobTable<DB, Table>,
  options: PauseOptions<DB[Table]> = {},
): Promise<void> {
  const { reason, until } = checked(options, ['where', 'reason', 'until'])
  const jobs = jobsOf(db, table)
  const key = JSON.stringify(await keyGiven(jobs, options.where))
  const { name, of } = await sideOf(db, table)
  const end = untilOf(until)
  const forget = sql`delete from ${name} where ${isOf(of)} and paused_key <> ${key}::jsonb and not ${isActive}`
  const put = sql`
    insert into ${name} as was (job_schema, job_table, paused_key, reason, until, paused_at)
    select ${of.schema}, ${of.name}, ${key}::jsonb, ${reason ?? null}::text, ${end}, ${moment}
    where coalesce(${end} > ${moment}, true)
    on conflict (job_schema, job_table, paused_key) do update set reason = excluded.reason, until = excluded.until,
      paused_at = case when coalesce(was.until > excluded.paused_at, true) then was.paused_at else excluded.paused_at end
    returning true as put`
  const rows = await changing(jobs, of, async (plain) => {
    await forget.execute(plain)
    return (await put.execute(plain)).rows
  })
  if (rows.length === 0)
    throw new PauseOptionError(
      `until: ${shown(until instanceof Date ? until.toISOString() : until)} is over by the database's clock; give a later time, or call resumeJobs to end a pause`,
    )
}

/**
 * Ends the pause of a job table, or with `where` that of a key: within a second workers begin its jobs again. Each is ended by itself: a
 * key stays paused when its table is resumed.
 *
 * @returns whether it was paused
 * @throws SideTableError without the table of pauses; JobKeyError; NoSuchTableError, JobTableError
 * @example const wasPaused = await resumeJobs(db, 'send_mail_jobs', { where: { tenant_id: 5 } })
 */
export async function resumeJobs<DB, Table extends keyof DB & string>(
  db: Queryable<DB>,
  table: JobTable<DB, Table>,
  options: Pick<PauseOptions<DB[Table]>, 'where'> = {},
): Promise<boolean> {
  checked(options, ['where'])
  const jobs = jobsOf(db, table)
  const key = JSON.stringify(await keyGiven(jobs, options.where))
  const { name, of } = await sideOf(db, table)
  const gone = sql`
    delete from ${name} where ${isOf(of)} and paused_key = ${key}::jsonb returning ${asText(sql`(select ${isActive})`)}`
  const texts = await changing(jobs, of, (plain) => textsOf(plain, gone.compile(plain)))
  return texts.includes('true')
}

/**
 * What of a job table is paused now: the table, keys of it, whose values are texts. None where there is no table of pauses.
 * @throws SideTableError where this role may not read it
 * @example const reasons = (await listPauses(db, 'send_mail_jobs')).map(({ where, reason }) => ({ where, reason }))
 */
export async function listPauses<DB, Table extends keyof DB & string>(
  db: ReadonlyQueryable<DB>,
  table: JobTable<DB, Table>,
): Promise<Pause[]> {
  return pausesOf(jobsOf(db, table).db, table)
}

/** The table of pauses in a statement, and the job table. */
async function sideOf<DB>(db: Queryable<DB>, table: string): Promise<{ name: RawBuilder<unknown>; of: TableName }> {
  const side = await sideTable(db, pausesTable, 'write')
  return { name: sql.raw(quotedName(side)), of: await identifyTable(db, table) }
}

/**
 * Changes pauses and tells the workers, together. Not by one statement: on Citus that goes to the node of the table, where nobody listens.
 * @param change is given a handle past all plugins
 * @returns what it has changed
 */
async function changing<Row>(
  jobs: Jobs,
  of: TableName,
  change: (plain: Kysely<JobDatabase>) => Promise<Row[]>,
): Promise<Row[]> {
  const work = async (db: Jobs['db']) => {
    const rows = await change(db.withoutPlugins())
    if (rows.length > 0) await tellWorkers({ ...jobs, db }, of, { kind: 'pauses' })
    return rows
  }
  if (jobs.db.isTransaction) return work(jobs.db)
  return unlessUndone(jobs.db, () => jobs.db.transaction().setIsolationLevel('read committed').execute(work))
}

/** @throws PauseOptionError */
function checked(options: object, names: readonly string[]): { reason: string | undefined; until?: Duration | Date } {
  const { reason, until } = options as Readonly<Record<string, unknown>> // read as what it may be
  const unknown = Object.keys(options).filter((name) => !names.includes(name))
  if (unknown.length > 0)
    throw new PauseOptionError(`${unknown.join(', ')}: no such option; there are ${names.join(', ')}`)
  if (reason !== undefined && typeof reason !== 'string')
    throw new PauseOptionError(`reason: ${shown(reason)} is invalid; give a text`)
  if (until instanceof Date && Number.isNaN(until.getTime()))
    throw new PauseOptionError('until: the date is invalid; give another, or how long it is to last')
  return { reason, ...(until !== undefined && { until: until as Duration | Date }) } // it is checked where it is read
}

/** @throws DurationError */
function untilOf(until: Duration | Date | undefined): RawBuilder<unknown> {
  if (until === undefined) return sql`null::timestamptz`
  const end = until instanceof Date ? timestamp(until) : later(moment, milliseconds(until, 'until'))
  return sql`(${end})::timestamptz`
}
