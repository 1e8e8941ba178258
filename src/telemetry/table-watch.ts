import type { Keyed } from '../queue/claim.js'
import { countJobs } from '../queue/count.js'
import { type LimitsInUse, limitsInUse } from '../queue/limits-in-use.js'
import { sampleOf } from '../records/samples.js'
import { findTable, writtenName } from '../schema/identify.js'
import { type Jobs, jobsOf } from '../schema/job-database.js'
import type { Queryable } from '../schema/job-table.js'
import type { TableName } from '../schema/names.js'
import { ask } from '../worker/ask.js'
import type { WatchedWorker } from './watched.js'

/** What the database says of a job table; each count goes up to 10,000, which then means so many or more. */
export interface TableFigures {
  readonly due: number
  readonly running: number
  readonly retrying: number
  readonly failed: number
  /** Milliseconds since the job that waits longest became due; undefined: none is due, or to find it would read the whole table. */
  readonly oldestDue: number | undefined
  /** The largest share in use of a limit of its workers, and how many keys have all that they may; undefined: they have no limit. */
  readonly limitUse: number | undefined
  readonly fullKeys: number | undefined
}

/** However often figures are asked for, the database is asked at most once in so long (milliseconds). */
const shortestInterval = 15_000

/** How long (milliseconds) that may take for all tables together: Prometheus gives up after ten seconds. */
const longestLook = 5_000

/** What was seen of each table that was to be looked at; undefined: it could not be. */
export type Looked = ReadonlyMap<string, TableFigures | undefined>

/** A table, and the limits of its workers. */
interface Watched {
  /** As the workers' code writes it. */
  readonly table: string
  readonly limits: readonly Keyed[]
}

/** Looks at job tables now and then, and remembers what it saw. */
export class TableWatch {
  readonly #db: Queryable<unknown>
  readonly #tables: readonly Watched[]
  #last: Promise<Looked> | undefined
  /** Monotonic milliseconds. */
  #next = Number.NEGATIVE_INFINITY

  constructor(db: Queryable<unknown>, workers: readonly WatchedWorker[]) {
    this.#db = db
    this.#tables = [...Map.groupBy(workers, ({ table }) => table)].map(([table, some]) => {
      const limits = some.flatMap(({ keyed }) => (keyed !== undefined && isLimit(keyed) ? keyed : []))
      return { table, limits: [...new Map(limits.map((keyed) => [JSON.stringify(keyed), keyed])).values()] }
    })
  }

  /** What was seen last. Never rejects. */
  look(): Promise<Looked> {
    if (this.#last === undefined || performance.now() >= this.#next) {
      this.#next = performance.now() + shortestInterval
      this.#last = this.#look()
    }
    return this.#last
  }

  /** One that is locked, say, leaves the others their time. */
  async #look(): Promise<Looked> {
    const seen = new Map<string, TableFigures | undefined>()
    const end = performance.now() + longestLook
    for (const [place, watched] of this.#tables.entries()) {
      const share = (end - performance.now()) / (this.#tables.length - place)
      const figures = await figuresOf(this.#db, watched, share).catch(() => undefined) // its absence tells
      seen.set(watched.table, figures)
    }
    return seen
  }
}

/** Rates and lines are none: they say when a job may begin, and not how many may run. */
const isLimit = ({ max, total }: Keyed) => max !== undefined || total !== undefined

/** By the statements that people use, whose cost does not grow with the table. */
async function figuresOf(
  db: Queryable<unknown>,
  { table, limits }: Watched,
  limit: number,
): Promise<TableFigures | undefined> {
  return ask(jobsOf(db, table).db, limit, `counts of ${table}`, async (connection) => {
    const name = await findTable(connection, writtenName(connection, table))
    if (name === undefined) return undefined
    const jobs = jobsOf(connection, table)
    const { statuses, due, retrying } = await countJobs(connection, jobs.name)
    const waiting = await sampleOf(connection, name)
    const uses = waiting === undefined ? [] : await usesOf(jobs, name, limits) // else what runs has no index
    return {
      ...{ due, retrying, running: statuses.job_status_running },
      failed: statuses.job_status_failed + statuses.job_status_timed_out,
      oldestDue: waiting?.oldestWait ?? undefined,
      limitUse: uses.length === 0 ? undefined : Math.max(...uses.map(({ share }) => share)),
      fullKeys: uses.length === 0 ? undefined : uses.reduce((sum, { full }) => sum + full, 0),
    }
  })
}

/** A limit that can not be read, as its column has gone, say, hides nothing else. */
async function usesOf(jobs: Jobs, of: TableName, limits: readonly Keyed[]): Promise<LimitsInUse[]> {
  const uses: (LimitsInUse | undefined)[] = []
  for (const keyed of limits) uses.push(await limitsInUse(jobs, of, keyed).catch(() => undefined))
  return uses.filter((use) => use !== undefined)
}
