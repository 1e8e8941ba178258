import { type Expression, type QueryCreator, type SqlBool, sql } from 'kysely'
import { concernsAll, sqlState } from '../pg/error-class.js'
import { job } from '../predicates/column.js'
import { isAmong } from '../predicates/rows.js'
import { isSelected, type JobSelection } from '../predicates/selected.js'
import type { JobId } from '../schema/columns.js'
import type { JobDatabase, Jobs } from '../schema/job-database.js'
import { unlessUndone } from '../schema/undone.js'
import type { BulkRun } from './bulk-run.js'
import { byValue } from './by-value.js'
import { type RowKey, rowsOf } from './fenced.js'
import { pagesOf, pagesOfKeys } from './key-pages.js'
import { ofLocked, toldOf } from './locked.js'

/** The most rows of one statement: locked, written and committed together. */
const chunkSize = 1000

/** Rows of a chunk, as the statement that writes to them finds them. */
interface Chunk {
  readonly db: QueryCreator<JobDatabase>
  readonly table: Jobs['table']
  readonly isLocked: Expression<SqlBool>
}

/** What a bulk verb does with the rows of one table. */
export interface BulkWrite {
  readonly jobs: Jobs
  /** Which of the selected jobs it writes to: those that may be when it begins, and still when their chunk comes. */
  readonly may: Expression<SqlBool>
  /** Writes to the rows of a chunk. @returns their ids */
  readonly write: (chunk: Chunk) => Promise<JobId[]>
  /** The rows leave their table, so they are locked as for a deletion. Default false. */
  readonly removes?: boolean
}

/**
 * Writes to selected jobs in chunks. Outside of a transaction each chunk is its own. A chunk that is refused for a row of
 * it is halved until that row is alone; in a transaction of the user's it is undone by a savepoint, so that the transaction
 * goes on.
 */
export async function writeInChunks<Row>(bulk: BulkWrite, selection: JobSelection<Row>, run: BulkRun): Promise<void> {
  if (run.isStopped) return
  const { jobs, may } = bulk
  const byIds = selection.ids !== undefined && jobs.key === undefined
  const selected = job.and([isSelected(selection), may])
  const pages = byIds
    ? pagesOfKeys(oneOfEach(selection.ids), chunkSize)
    : await pagesOf(jobs, jobs.db.selectFrom(jobs.asJob).where(selected), chunkSize)
  if (!byIds) run.expect(bulk, pages.rows)
  const [changed, refused] = [run.changed.length, run.refused.length]
  for (const page of pages) {
    if (run.isStopped) return
    for (const [ofNode, rows] of byValue(jobs, page))
      await writeChunk({ ...bulk, jobs: ofNode }, byIds ? undefined : selected, rows, run)
    // Said of a row where a policy refuses it, and of the table where the role may not write to it.
    const error = run.refused[refused]?.error
    if (run.changed.length === changed && sqlState(error) === '42501') throw error
    await run.tell()
  }
}

/** @param selected the condition of the user's, which knows the table as `job`, as the statement that writes does not */
async function writeChunk(
  bulk: BulkWrite,
  selected: Expression<SqlBool> | undefined,
  rows: readonly RowKey[],
  run: BulkRun,
): Promise<void> {
  const { jobs, may, write } = bulk
  const among = isAmong(rowsOf(jobs, rows))
  const locking = () => {
    const query = jobs.db
      .selectFrom(jobs.asJob)
      .where(among)
      .where(onceFound(selected ?? may))
    return ofLocked(jobs, toldOf(jobs, bulk.removes ? query.forUpdate() : query.forNoKeyUpdate()))
  }
  const target = selected === undefined ? { db: jobs.db, isLocked: job.and([among, onceFound(may)]) } : locking()
  try {
    const written = () => undoable(jobs, () => write({ ...target, table: jobs.table }))
    run.add(await unlessUndone(jobs.db, written, true)) // workers lock the same rows in an order of theirs
  } catch (error) {
    if (concernsAll(error)) throw error
    const [row, ...others] = rows
    if (row !== undefined && others.length === 0) run.add([], [{ id: row.id, error }])
    else for (const half of halves(rows)) await writeChunk(bulk, selected, half, run)
  }
}

/**
 * A condition that is looked at once a row is found. Bare, it invites the planner to a partial index, or one of the user's, of
 * which each chunk then reads all that matches: to cancel a million jobs took 40 s, and takes 13 s.
 */
function onceFound(condition: Expression<SqlBool>): Expression<SqlBool> {
  return job.case().when(condition).then(job.lit(true)).else(job.lit(false)).end()
}

function oneOfEach(ids: readonly JobId[]): RowKey[] {
  return [...new Set(ids)].map((id) => ({ id }))
}

function halves<Entry>(entries: readonly Entry[]): Entry[][] {
  const middle = Math.ceil(entries.length / 2)
  return [entries.slice(0, middle), entries.slice(middle)]
}

/** In a transaction of the user's, a statement that fails must not end it. */
export async function undoable<Result>({ db }: Jobs, statement: () => Promise<Result>): Promise<Result> {
  if (!db.isTransaction) return statement()
  await sql`savepoint kysely_jobs`.execute(db)
  try {
    const result = await statement()
    await sql`release savepoint kysely_jobs`.execute(db)
    return result
  } catch (error) {
    await sql`rollback to savepoint kysely_jobs; release savepoint kysely_jobs`.execute(db).catch(() => {})
    throw error
  }
}
