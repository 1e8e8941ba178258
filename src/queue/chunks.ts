import { type Expression, type QueryCreator, type SqlBool, sql } from 'kysely'
import { concernsAll, sqlState } from '../pg/error-class.js'
import { job } from '../predicates/column.js'
import { isAmong } from '../predicates/rows.js'
import { isSelected, type JobSelection } from '../predicates/selected.js'
import type { JobId } from '../schema/columns.js'
import type { JobDatabase, Jobs } from '../schema/job-database.js'
import { keysOf, type RowKey, rowsOf } from './fenced.js'
import { ofLocked, toldOf } from './locked.js'

/** The most rows of one statement: locked, written and committed together. */
const chunkSize = 1000

/** A job that the table did not let be changed. */
export interface RefusedJob {
  readonly id: JobId
  /** What Postgres said; its `detail` may hold values of the row. */
  readonly error: unknown
}

/** The ids of the jobs that were changed, and beside them those that were refused. */
export type ChangedJobs = JobId[] & { readonly refused: readonly RefusedJob[] }

/** Rows of a chunk, as the statement that writes to them finds them. */
interface Chunk {
  readonly db: QueryCreator<JobDatabase>
  readonly table: Jobs['table']
  readonly isLocked: Expression<SqlBool>
}

/** Both as one. */
export function together(some: ChangedJobs, others: ChangedJobs): ChangedJobs {
  return changedJobs([...some, ...others], [...some.refused, ...others.refused])
}

function changedJobs(ids: JobId[], refused: readonly RefusedJob[]): ChangedJobs {
  return Object.defineProperty(ids, 'refused', { value: refused, enumerable: refused.length > 0 }) as ChangedJobs // just given
}

/** Writes to the rows of a chunk. @returns their ids */
type Write = (chunk: Chunk) => Promise<JobId[]>

/**
 * Writes to selected jobs in chunks: those that `may` be written when it begins, and still are when their chunk comes.
 * Outside of a transaction each chunk is its own. A chunk that is refused for a row of it is halved until that row is
 * alone; in a transaction of the user's it is undone by a savepoint, so that the transaction goes on.
 */
export async function writeInChunks<Row>(
  jobs: Jobs,
  selection: JobSelection<Row>,
  may: Expression<SqlBool>,
  write: Write,
): Promise<ChangedJobs> {
  const selected = job.and([isSelected(selection), may])
  const byIds = selection.ids !== undefined && jobs.key === undefined
  const rows = byIds ? oneOfEach(selection.ids) : await keysOf(jobs, jobs.db.selectFrom(jobs.asJob).where(selected))
  const changed: JobId[] = []
  const refused: RefusedJob[] = []
  const writeChunk = async (chunk: readonly RowKey[]): Promise<void> => {
    const among = isAmong(rowsOf(jobs, chunk))
    // The user's condition knows the table as `job`, the statement does not.
    const locked = jobs.db.selectFrom(jobs.asJob).where(among).where(selected).forNoKeyUpdate()
    const target = byIds ? { db: jobs.db, isLocked: job.and([among, may]) } : ofLocked(jobs, toldOf(jobs, locked))
    try {
      changed.push(...(await undoable(jobs, () => write({ ...target, table: jobs.table }))))
    } catch (error) {
      if (concernsAll(error)) throw error
      const [row, ...others] = chunk
      if (row !== undefined && others.length === 0) refused.push({ id: row.id, error })
      else for (const half of halves(chunk)) await writeChunk(half)
    }
  }
  for (let start = 0; start < rows.length; start += chunkSize) {
    await writeChunk(rows.slice(start, start + chunkSize))
    // Said of a row where a policy refuses it, and of the table where the role may not write to it.
    if (changed.length === 0 && sqlState(refused[0]?.error) === '42501') throw refused[0]?.error
  }
  return changedJobs(changed, refused)
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
