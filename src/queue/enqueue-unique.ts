import { sqlState } from '../pg/error-class.js'
import { writtenName } from '../schema/identify.js'
import type { Jobs } from '../schema/job-database.js'
import { idOf } from '../schema/row.js'
import { unlessUndone } from '../schema/undone.js'
import { undoable } from './chunks.js'
import { inChunks, type NewRow } from './new-rows.js'
import { insertThrottled } from './throttled.js'
import { HiddenJobError, JobExistsError, NoUniqueIndexError } from './unique-errors.js'
import { byColumns, byValues, inTurns } from './unique-keys.js'
import { insertOnNodes } from './unique-of-node.js'
import type { Uniqueness } from './unique-options.js'
import { changesStanding, insertUnique, type Standing, type StandingJobs } from './unique-statement.js'

/** The most rows of a statement, which has a part for the values of each. */
const mostRows = 250

/** So often a row that was neither inserted nor found is tried: each time another was quicker. */
const mostTries = 100

/** What Postgres says where no index makes jobs unique in this way; and where a statement would write to a row twice. */
const noSuchIndex = '42P10'
const writtenTwice = '21000'

/**
 * Inserts rows where no job stands for their values; several go in one transaction, all or none.
 *
 * @returns what stands for each, in their order
 * @throws JobExistsError, NoUniqueIndexError, HiddenJobError
 */
export async function enqueueUnique(
  jobs: Jobs,
  uniqueness: Uniqueness,
  rows: readonly NewRow[],
): Promise<readonly Standing[]> {
  const call = { jobs, uniqueness, lasts: jobs.db.isTransaction }
  const enqueuing = async () => {
    if (rows.length > 1) return together(call, (all) => enqueueAll(all, rows))
    return checked(call, [...(await standingJobs(call, rows)).values()])
  }
  try {
    return await unlessUndone(jobs.db, enqueuing)
  } catch (error) {
    if (sqlState(error) !== noSuchIndex) throw error
    throw new NoUniqueIndexError(jobs.name, writtenName(jobs.db, jobs.name), uniqueness, error)
  }
}

/** One call of an enqueuer. */
interface Call {
  readonly jobs: Jobs
  readonly uniqueness: Uniqueness
  /** It is in a transaction of the user's, which may go on for long. */
  readonly lasts: boolean
}

/** In the user's transaction what fails is undone by a savepoint: there too the jobs are enqueued completely or not at all. */
function together<Result>(call: Call, work: (call: Call) => Promise<Result>): Promise<Result> {
  const { jobs } = call
  if (jobs.db.isTransaction) return undoable(jobs, () => work(call))
  const transaction = jobs.db.transaction().setIsolationLevel('read committed')
  return transaction.execute((db) => work({ ...call, jobs: { ...jobs, db } }))
}

async function enqueueAll(call: Call, given: readonly NewRow[]): Promise<readonly Standing[]> {
  const { uniqueness } = call
  const rows = given.map((row) => ({ ...row })) // one that is given twice is two
  const groups = byValues(rows, uniqueness.columns)
  const standing = new Map<NewRow, Standing>()
  for (const turn of changesStanding(uniqueness) ? inTurns(groups) : [groups.map(([first]) => first)]) {
    for (const run of uniqueness.onConflict === 'replace' ? byColumns(turn) : [turn]) {
      for (const chunk of inChunks(run, uniqueness.within === undefined ? mostRows : 1)) {
        for (const [row, one] of await enqueueChunk(call, chunk)) standing.set(row, one)
      }
    }
  }
  for (const [first, ...others] of groups) {
    const one = standing.get(first)
    for (const other of others) if (one !== undefined && !standing.has(other)) standing.set(other, one)
  }
  return checked(call, eachNewOnce(rows.flatMap((row) => standing.get(row) ?? [])))
}

/** Of jobs that stand for several rows the first is new, and all are as the last has left them. */
function eachNewOnce(standing: readonly Standing[]): Standing[] {
  const lastOf = new Map(standing.map((one) => [String(idOf(one.job)), one]))
  const isNewOf = new Set(standing.flatMap(({ job, isNew }) => (isNew ? [String(idOf(job))] : [])))
  return standing.map((one) => {
    const id = String(idOf(one.job))
    return { job: lastOf.get(id)?.job ?? one.job, isNew: isNewOf.delete(id) }
  })
}

/** Rows that only Postgres knows to be the same are written one by one. */
async function enqueueChunk(call: Call, rows: readonly NewRow[]): Promise<Map<NewRow, Standing>> {
  try {
    return await standingJobs(call, rows)
  } catch (error) {
    if (sqlState(error) !== writtenTwice) throw error
    const standing = new Map<NewRow, Standing>()
    for (const row of rows) for (const [, one] of await standingJobs(call, [row])) standing.set(row, one)
    return standing
  }
}

/** What stands for rows, once it does for all. @throws HiddenJobError */
async function standingJobs(call: Call, rows: readonly NewRow[]): Promise<Map<NewRow, Standing>> {
  const standing = new Map<NewRow, Standing>()
  for (let tries = 0; tries < mostTries; tries++) {
    const others = rows.filter((row) => !standing.has(row))
    if (others.length === 0) return standing
    for (const [place, { job, isNew }] of await insert(call, others)) {
      const row = others[place]
      if (row !== undefined) standing.set(row, { job, isNew })
    }
  }
  throw new HiddenJobError(call.jobs.name, call.uniqueness)
}

async function insert(call: Call, rows: readonly NewRow[]): Promise<StandingJobs> {
  const { jobs, uniqueness, lasts } = call
  const { within, onlyWaiting } = uniqueness
  if (jobs.distributedBy !== undefined) return insertOnNodes(jobs, uniqueness, rows)
  if (within !== undefined) return insertThrottled(jobs, { ...uniqueness, within }, rows)
  const mayLock = rows.length > 1 || (lasts && (onlyWaiting || changesStanding(uniqueness)))
  return jobs.db.isTransaction && mayLock ? insertWhole(call, rows) : insertUnique(jobs, uniqueness, rows)
}

/** Not all is as it is to stay. */
class Incomplete extends Error {
  readonly standing: StandingJobs

  constructor(standing: StandingJobs) {
    super('Some rows are to be tried again')
    this.standing = standing
  }
}

/**
 * A statement that does not answer for all rows is undone, so that what is tried again is tried in the order of the values, and two arrays
 * don't wait for each other; and so that no job stays locked which began meanwhile. A `do update` locks also what it leaves alone: for as long as
 * the user's transaction lasts no heartbeat would reach a job that runs, and its worker would lose it.
 *
 * @returns what stands whether or not it is undone; the others are to be tried again, without these
 */
async function insertWhole({ jobs, uniqueness, lasts }: Call, rows: readonly NewRow[]): Promise<StandingJobs> {
  const leavesLocked = lasts && changesStanding(uniqueness)
  try {
    return await undoable(jobs, async () => {
      const standing = await insertUnique(jobs, uniqueness, rows)
      const found = rows.map((_, place) => standing.get(place))
      if (found.every((one) => one !== undefined && (one.isWritten || !leavesLocked))) return standing
      throw new Incomplete(standing)
    })
  } catch (error) {
    if (!(error instanceof Incomplete)) throw error
    return new Map([...error.standing].filter(([, { isWritten }]) => !isWritten && !uniqueness.onlyWaiting))
  }
}

/** @throws JobExistsError */
function checked({ jobs, uniqueness }: Call, standing: readonly Standing[]): readonly Standing[] {
  const known = uniqueness.onConflict === 'error' ? standing.find(({ isNew }) => !isNew) : undefined
  if (known === undefined) return standing
  throw new JobExistsError(jobs.name, idOf(known.job), uniqueness)
}
