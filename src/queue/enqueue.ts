import type { InsertObject } from 'kysely'
import { sqlState } from '../pg/error-class.js'
import { clockTimestamp, later, now } from '../predicates/clock.js'
import { type Duration, milliseconds } from '../schema/duration.js'
import { type Lookup, noSuchTable, writtenName } from '../schema/identify.js'
import { type JobAlias, type JobDatabase, type Jobs, jobsOf } from '../schema/job-database.js'
import type { Job, JobTable, NewJob, Queryable } from '../schema/job-table.js'
import { checkNewJob } from './new-job.js'
import { sizeOf, widthOf } from './row-size.js'

export interface EnqueueOptions {
  /** How long from now, by the database's clock, the jobs are due; in place of `run_at`. Default: at once. */
  readonly delay?: Duration | undefined
}

/** Postgres takes 65,535 parameters in a statement; half of that keeps a statement's plan and text small too. */
const maxParameters = 32_000

/** About the most bytes of values in a statement of more than one row: Postgres and both ends hold it all at once. */
const maxBytes = 8_000_000

/**
 * Inserts jobs: the typed shorthand of an ordinary insert, in the user's own transaction where one is given.
 * An array of any length goes in whole or not at all, in its order.
 *
 * @returns the inserted row, or the rows of an array.
 * @throws NewJobError for a column that the queue manages, or text Postgres can't hold
 * @example
 * const job = await enqueue(trx, 'send_mail_jobs', { user_id, template: 'welcome' }, { delay: '5m' })
 */
export async function enqueue<DB, Table extends keyof DB & string, Item = never>(
  db: Queryable<DB>,
  table: JobTable<DB, Table>,
  values: [Item] extends [never] ? NewJob<DB, Table> : readonly NewJob<DB, Table>[] & Rows<Item>,
  options: EnqueueOptions = {},
): Promise<EnqueuedJobs<DB, Table, Item>> {
  const jobs = jobsOf(db, table)
  const rows = (Array.isArray(values) ? values : [values]) as readonly object[] // one or the other, which Item says to the caller alone
  for (const row of rows) checkNewJob(row, table, options.delay !== undefined)
  const inserted = await insertAll(jobs, rows.map(due(options))).catch(explained(jobs.db, table))
  // rows of the user's table; an insert of one row returns one
  return (Array.isArray(values) ? inserted : inserted[0]) as EnqueuedJobs<DB, Table, Item>
}

/** The job of one row, or the jobs of rows. */
type EnqueuedJobs<DB, Table extends keyof DB & string, Item> = [Item] extends [never]
  ? Job<DB, Table>
  : Job<DB, Table>[]

/** Tells rows from a row by what only rows have: a type parameter for the values would let unknown columns pass. */
interface Rows<Item> {
  readonly [Symbol.iterator]: Item
}

/** What Postgres says of a table that is not there. */
const undefinedTable = '42P01'

/** The worker's words for a table that no migration has made. */
function explained(db: Lookup, table: string): (error: unknown) => never {
  return (error) => {
    if (sqlState(error) !== undefinedTable || (error instanceof Error && Reflect.get(error, 'where'))) throw error // where: a trigger lacks it
    throw noSuchTable(writtenName(db, table), error)
  }
}

/** A row without a value of its own still needs a column to be inserted by; `run_at` as its default would have it. */
function due({ delay }: EnqueueOptions): (row: object) => NewRow {
  const wait = delay === undefined ? undefined : milliseconds(delay, 'delay')
  return (row) => {
    if (wait !== undefined) return { ...row, run_at: later(clockTimestamp(), wait) }
    return Object.values(row).every((value) => value === undefined) ? { run_at: now() } : row
  }
}

/** A row to insert, seen as job columns: the door's types have checked the user's. */
type NewRow = InsertObject<JobDatabase, JobAlias>

async function insertAll(jobs: Jobs, rows: readonly NewRow[]): Promise<unknown[]> {
  const chunks = inChunks(rows)
  if (chunks.length > 1 && !jobs.db.isTransaction) {
    return jobs.db.transaction().execute((trx) => insertChunks({ ...jobs, db: trx }, chunks))
  }
  return insertChunks(jobs, chunks)
}

async function insertChunks({ db, name }: Jobs, chunks: readonly NewRow[][]): Promise<unknown[]> {
  const inserted: unknown[] = []
  for (const chunk of chunks) {
    const rows = await db.insertInto(name).values(chunk).returningAll().execute()
    for (const row of rows) inserted.push(row)
  }
  return inserted
}

function inChunks(rows: readonly NewRow[]): NewRow[][] {
  const most = Math.max(1, Math.floor(maxParameters / Math.max(1, widthOf(rows))))
  const chunks: NewRow[][] = []
  let bytes = 0
  for (const row of rows) {
    const size = rows.length === 1 ? 0 : sizeOf(row)
    bytes += size
    const chunk = chunks.at(-1)
    if (chunk !== undefined && chunk.length < most && bytes <= maxBytes) chunk.push(row)
    else {
      chunks.push([row])
      bytes = size
    }
  }
  return chunks
}
