import { type Kysely, sql } from 'kysely'
import { sqlState } from '../pg/error-class.js'
import { undoable } from '../queue/chunks.js'
import { countBound } from '../queue/count.js'
import { allPauses, type Pause } from '../queue/pauses.js'
import { succeededLastHour } from '../records/history.js'
import { runnersIn } from '../records/runners.js'
import type { WorkerState } from '../records/worker-state.js'
import { type JobDatabase, type Jobs, jobsOf } from '../schema/job-database.js'
import type { ReadonlyQueryable } from '../schema/job-table.js'
import { quotedName, type TableName } from '../schema/names.js'
import { own } from '../schema/own-names.js'
import { historyTable, readableSideTable, runnersTable } from '../schema/side-table.js'
import { textsOf, textsOfUnion } from '../schema/text.js'
import type { ObservedTable } from './observed-table.js'
import { countsIn, type TableCounts } from './table-counts.js'

/** A number, and how good it is: an estimate is of the planner's statistics. */
export interface Count {
  readonly count: number
  readonly is: 'exact' | 'at least' | 'estimated'
}

/** How it is with a job table. Counts are undefined where no index leads to the jobs, and the table would have to be read. */
export interface TableOverview {
  /** As the user writes it, and as the catalog has it. */
  readonly written: string
  readonly table: TableName
  /** Why nothing is counted: a server on which its jobs are does not answer; undefined: it does. */
  readonly away: string | undefined
  /** What a worker could claim now. */
  readonly due: Count | undefined
  /** Milliseconds since the job that waits longest became due; 0: none is due. */
  readonly oldestWait: number | undefined
  readonly running: Count | undefined
  /** Pending jobs whose time is to come: those that have failed before, and those that have not. */
  readonly retrying: Count | undefined
  readonly scheduled: Count | undefined
  /** Jobs that failed or timed out for good, in the table or its archive. */
  readonly failedLastHour: Count | undefined
  readonly failedLastDay: Count | undefined
  /** From the history, to the minute: undefined where there is none. */
  readonly succeededLastHour: number | undefined
  /** The whole table is paused. */
  readonly paused: boolean
  /** What is paused, the table or keys of it; undefined: this role may not read it. */
  readonly pauses: readonly Pause[] | undefined
  /** The workers of runners that are alive; undefined: there is no table that tells, or this role may not read it. */
  readonly workers: readonly WorkerState[] | undefined
}

/** How it is with job tables, in a few statements however many there are; each reads some ten thousand rows of a table at most. */
export async function overviewOf<DB>(
  handle: ReadonlyQueryable<DB>,
  tables: readonly ObservedTable[],
): Promise<TableOverview[]> {
  const jobs = jobsOf(handle, '')
  const { db } = jobs
  const counts = await countAll(jobs, tables)
  const pauses = await allPauses(db)
  const workers = await aliveWorkers(db)
  const succeeded = await succeededOf(db, tables)
  return tables.map((observed, place) => {
    const { written, table } = observed
    const name = quotedName(table)
    const paused = pauses && (pauses.get(name) ?? [])
    return {
      ...{ written, table, ...numbersOf(counts[place]) },
      succeededLastHour: succeeded && (succeeded.get(name) ?? 0),
      ...{ paused: paused?.some(({ where }) => where === undefined) ?? false, pauses: paused },
      workers: workers?.filter(({ schema, table: of }) => quotedName({ schema, name: of }) === name),
    }
  })
}

type Seen = TableCounts | { readonly away: string }

/** Where some are on a server that is away, each is asked by itself. */
async function countAll(jobs: Jobs, tables: readonly ObservedTable[]): Promise<readonly Seen[]> {
  if (tables.length === 0) return []
  try {
    return await undoable(jobs, () => countTogether(jobs, tables))
  } catch (error) {
    if (tables.length === 1) return [awayBy(error)]
    awayBy(error)
  }
  const seen: Seen[] = []
  for (const table of tables) seen.push(...(await countAll(jobs, [table])))
  return seen
}

/** As Citus says of its nodes. @throws whatever says anything else */
function awayBy(error: unknown): Seen {
  if (error instanceof Error && /^08/.test(sqlState(error) ?? '')) return { away: error.message }
  throw error
}

async function countTogether({ db }: Jobs, tables: readonly ObservedTable[]): Promise<TableCounts[]> {
  const parts = tables.map((table, place) => {
    return sql`select pg_catalog.json_build_array(${sql.lit(place)}, ${countsIn(table)}) as ${sql.id(own.text)}`
  })
  const texts = await textsOf(db, textsOfUnion(parts).compile(db.withoutPlugins()))
  const counted = texts.map((text) => JSON.parse(text ?? '') as [number, TableCounts]) // just made
  return counted.toSorted(([one], [other]) => one - other).map(([, counts]) => counts)
}

type Numbers = Pick<
  TableOverview,
  'away' | 'due' | 'oldestWait' | 'running' | 'retrying' | 'scheduled' | 'failedLastHour' | 'failedLastDay'
>

function numbersOf(seen: Seen = [null, null, null, null]): Numbers {
  const [past, future, running, failed]: TableCounts = 'away' in seen ? [null, null, null, null] : seen
  const isAllPast = past !== null && past[0] < countBound
  const isAllFuture = future !== null && future[0] < countBound
  return {
    away: 'away' in seen ? seen.away : undefined,
    due: past === null ? undefined : counted(past[1], isAllPast),
    oldestWait: past === null ? undefined : waitOf(past[2]),
    running: running === null ? undefined : counted(running, running < countBound),
    retrying: future === null ? undefined : counted(future[1], isAllFuture),
    scheduled: future === null ? undefined : counted(future[0] - future[1], isAllFuture),
    failedLastHour: failed === null ? undefined : together(failed.map(([, hour]) => hour)),
    failedLastDay: failed === null ? undefined : together(failed.map(([day]) => day)),
  }
}

const counted = (count: number, isExact: boolean): Count => ({ count, is: isExact ? 'exact' : 'at least' })

function together(counts: readonly number[]): Count {
  return counted(
    counts.reduce((sum, count) => sum + count, 0),
    counts.every((count) => count < countBound),
  )
}

/** A time of minus infinity is due for ever. */
function waitOf(text: string | null): number {
  const wait = Number(text ?? 0)
  return Number.isFinite(wait) ? Math.max(0, wait) : Number.MAX_SAFE_INTEGER
}

async function aliveWorkers(db: Kysely<JobDatabase>): Promise<WorkerState[] | undefined> {
  const table = await readableSideTable(db, runnersTable)
  const runners = table && (await runnersIn(db, table))
  return runners?.filter(({ alive }) => alive).flatMap(({ workers }) => workers)
}

async function succeededOf(
  db: Kysely<JobDatabase>,
  tables: readonly ObservedTable[],
): Promise<ReadonlyMap<string, number> | undefined> {
  const side = await readableSideTable(db, historyTable)
  const names = tables.map(({ table }) => table)
  return side && succeededLastHour(db, side, names)
}
