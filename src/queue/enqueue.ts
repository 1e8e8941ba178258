import { sqlState } from '../pg/error-class.js'
import type { Duration } from '../schema/duration.js'
import { isElsewhere } from '../schema/engine.js'
import { noSuchTable, writtenName } from '../schema/identify.js'
import { type Jobs, jobsOf } from '../schema/job-database.js'
import type { Job, JobTable, NewJob, Queryable, UniqueBy, UniqueNewJob } from '../schema/job-table.js'
import { knownHome } from '../schema/known-home.js'
import { unlessUndone } from '../schema/undone.js'
import { enqueueUnique } from './enqueue-unique.js'
import { checkNewJob, NewJobError } from './new-job.js'
import { due, inChunks, type NewRow } from './new-rows.js'
import { inOrder, withIds } from './rows-in-order.js'
import { NoUniqueIndexError } from './unique-errors.js'
import {
  checkKey,
  checkNames,
  EnqueueOptionError,
  type EnqueueOptions,
  type Uniqueness,
  type UniqueOptions,
  uniquenessOf,
} from './unique-options.js'

/** What stands after an enqueue of a unique job. */
export interface Enqueued<DB, Table extends keyof DB> {
  /** The job that was inserted, or that was there before. */
  readonly job: Job<DB, Table>
  /** Whether it was inserted by this call. */
  readonly isNew: boolean
}

/**
 * Inserts jobs: the typed shorthand of an ordinary insert, in the user's own transaction where one is given.
 * An array of any length goes in whole or not at all, in its order.
 *
 * With `unique`, a job is inserted only where none stands for its values, and the answer says which one does.
 *
 * @returns the inserted row, or the rows of an array; with `unique` for each `{ job, isNew }`
 * @throws NewJobError for a column that the queue manages, a null in a column of `unique`, or text Postgres can't hold
 * @throws EnqueueOptionError, JobExistsError, NoUniqueIndexError, HiddenJobError
 * @example
 * const job = await enqueue(trx, 'send_mail_jobs', { user_id, template: 'welcome' }, { delay: '5m' })
 * @example
 * const { job, isNew } = await enqueue(db, 'send_mail_jobs', { user_id, template: 'welcome' }, { unique: ['user_id', 'template'] })
 */
export async function enqueue<
  DB,
  Table extends keyof DB & string,
  Item = never,
  const Column extends string = never,
  Within extends Duration | undefined = undefined,
>(
  db: Queryable<DB>,
  table: JobTable<DB, Table>,
  values: [Item] extends [never] ? GivenJob<DB, Table, Column> : readonly GivenJob<DB, Table, Column>[] & Rows<Item>,
  options?: [Column] extends [never] ? EnqueueOptions : UniqueOptions<UniqueBy<DB, Table, Column>, Within>,
): Promise<EnqueuedJobs<DB, Table, Item, Column>> {
  const jobs = jobsOf(db, table)
  checkNames(options)
  const { delay, ...unique }: EnqueueOptions | UniqueOptions<string, Duration | undefined> = options ?? {}
  const uniqueness = uniquenessOf(unique)
  const given = (Array.isArray(values) ? values : [values]) as readonly object[] // one or the other, which Item says to the caller alone
  for (const row of given) checkNewJob(row, table, delay !== undefined)
  if (uniqueness !== undefined) for (const row of given) checkKey(row, table, uniqueness.columns)
  const rows = given.map(due({ delay }))
  const enqueuing = uniqueness === undefined ? insertInOrder(jobs, rows) : insertUnique(db, table, uniqueness, rows)
  const enqueued: readonly unknown[] = await enqueuing.catch(explained(jobs.db, table))
  // rows of the user's table, or what stands for them; of one row there is one
  return (Array.isArray(values) ? enqueued : enqueued[0]) as EnqueuedJobs<DB, Table, Item, Column>
}

type GivenJob<DB, Table extends keyof DB, Column> = [Column] extends [never]
  ? NewJob<DB, Table>
  : UniqueNewJob<DB, Table, Column>

/** The job of one row, or the jobs of rows. */
type EnqueuedJobs<DB, Table extends keyof DB & string, Item, Column> = [Item] extends [never]
  ? EnqueuedJob<DB, Table, Column>
  : EnqueuedJob<DB, Table, Column>[]

type EnqueuedJob<DB, Table extends keyof DB, Column> = [Column] extends [never] ? Job<DB, Table> : Enqueued<DB, Table>

/** Tells rows from a row by what only rows have: a type parameter for the values would let unknown columns pass. */
interface Rows<Item> {
  readonly [Symbol.iterator]: Item
}

/** What Postgres says of a table that is not there. */
const undefinedTable = '42P01'

/** What Citus says of a row without a value in the column by which its table is distributed. */
const valueMissing = '22004'

/** The worker's words for a table that no migration has made, and for a job that goes to no node. */
function explained(db: Jobs['db'], table: string): (error: unknown) => Promise<never> {
  return async (error) => {
    const state = error instanceof Error && Reflect.get(error, 'where') ? undefined : sqlState(error) // where: a trigger lacks it
    if (state === undefinedTable) throw noSuchTable(writtenName(db, table), error)
    if (state !== valueMissing) throw error
    const placement = db.isTransaction ? undefined : (await knownHome(db, table))?.placement // that transaction has ended
    const by = placement?.kind === 'distributed' ? `'${placement.by}'` : 'a column'
    throw new NewJobError(
      `${table} is distributed over nodes by ${by}, and a job without a value in it goes to none: give each job one`,
      { cause: error },
    )
  }
}

/** What Citus says of a statement that it can't spread over nodes. */
const notSpread = /^(?:0A000|42P16)$/

/** Where the table is on another node this is found out by an error; in the user's transaction, which that would end, it is asked before. */
async function insertUnique(
  db: Queryable<unknown>,
  table: string,
  uniqueness: Uniqueness,
  rows: readonly NewRow[],
): Promise<readonly unknown[]> {
  const jobs = jobsOf(db, table)
  if (!db.isTransaction) {
    try {
      return await enqueueUnique(jobs, uniqueness, rows)
    } catch (error) {
      const isTold = notSpread.test(sqlState(error) ?? '') || error instanceof NoUniqueIndexError
      if (!isTold || !isElsewhere(await knownHome(jobs.db, table, 'anew'))) throw error
    }
  }
  const home = await knownHome(jobs.db, table)
  const known = jobsOf(db, table, { home })
  if (known.distributedBy === undefined || uniqueness.within === undefined)
    return enqueueUnique(known, uniqueness, rows)
  throw new EnqueueOptionError(
    `within: ${table} is distributed over nodes, where jobs can be unique until they have ended, but not for a time; leave it out`,
  )
}

async function insertInOrder(jobs: Jobs, rows: readonly NewRow[]): Promise<readonly unknown[]> {
  const home = rows.length > 1 ? await knownHome(jobs.db, jobs.name) : undefined
  if (home?.placement.kind !== 'distributed') return insertAll(jobs, rows)
  const given = await withIds(jobs, rows)
  return inOrder(given, await insertAll(jobs, given))
}

async function insertAll(jobs: Jobs, rows: readonly NewRow[]): Promise<object[]> {
  const chunks = inChunks(rows)
  if (chunks.length > 1 && !jobs.db.isTransaction) {
    const inserting = () => jobs.db.transaction().execute((trx) => insertChunks({ ...jobs, db: trx }, chunks))
    return unlessUndone(jobs.db, inserting)
  }
  return insertChunks(jobs, chunks)
}

async function insertChunks({ db, name }: Jobs, chunks: readonly NewRow[][]): Promise<object[]> {
  const inserted: object[] = []
  for (const chunk of chunks) {
    const rows = await unlessUndone(db, () => db.insertInto(name).values(chunk).returningAll().execute())
    for (const row of rows) inserted.push(row)
  }
  return inserted
}
