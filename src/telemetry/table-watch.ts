import { countJobs } from '../queue/count.js'
import { sampleOf } from '../records/samples.js'
import { findTable, writtenName } from '../schema/identify.js'
import { jobsOf } from '../schema/job-database.js'
import type { Queryable } from '../schema/job-table.js'
import { ask } from '../worker/ask.js'

/** What the database says of a job table; each count goes up to 10,000, which then means so many or more. */
export interface TableFigures {
  readonly due: number
  readonly running: number
  readonly retrying: number
  readonly failed: number
  /** Milliseconds since the job that waits longest became due; undefined: none is due, or to find it would read the whole table. */
  readonly oldestDue: number | undefined
}

/** However often figures are asked for, the database is asked at most once in so long (milliseconds). */
const shortestInterval = 15_000

/** How long (milliseconds) that may take for all tables together: Prometheus gives up after ten seconds. */
const longestLook = 5_000

/** Looks at job tables now and then, and remembers what it saw. */
export class TableWatch {
  readonly #db: Queryable<unknown>
  readonly #tables: readonly string[]
  #last: Promise<ReadonlyMap<string, TableFigures>> | undefined
  /** Monotonic milliseconds. */
  #next = Number.NEGATIVE_INFINITY

  /** @param tables as their workers' code writes them */
  constructor(db: Queryable<unknown>, tables: readonly string[]) {
    this.#db = db
    this.#tables = tables
  }

  /** What was seen last, by tables; those that could not be looked at are missing. Never rejects. */
  look(): Promise<ReadonlyMap<string, TableFigures>> {
    if (this.#last === undefined || performance.now() >= this.#next) {
      this.#next = performance.now() + shortestInterval
      this.#last = this.#look()
    }
    return this.#last
  }

  async #look(): Promise<ReadonlyMap<string, TableFigures>> {
    const seen = new Map<string, TableFigures>()
    const end = performance.now() + longestLook
    for (const table of this.#tables) {
      const left = end - performance.now()
      const figures = left > 0 ? await figuresOf(this.#db, table, left).catch(() => undefined) : undefined // its absence tells
      if (figures !== undefined) seen.set(table, figures)
    }
    return seen
  }
}

/** By the statements that people use, whose cost does not grow with the table. */
async function figuresOf(db: Queryable<unknown>, table: string, limit: number): Promise<TableFigures | undefined> {
  return ask(jobsOf(db, table).db, limit, `counts of ${table}`, async (connection) => {
    const name = await findTable(connection, writtenName(connection, table))
    if (name === undefined) return undefined
    const { statuses, due } = await countJobs(connection, jobsOf(connection, table).name)
    const waiting = await sampleOf(connection, name)
    return {
      due,
      running: statuses.job_status_running,
      retrying: statuses.job_status_retry,
      failed: statuses.job_status_failed + statuses.job_status_timed_out,
      oldestDue: waiting?.oldestWait ?? undefined,
    }
  })
}
