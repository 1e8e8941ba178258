import type { Kysely } from 'kysely'
import { mayPass } from '../../pg/error-class.js'
import { sampleOf, takeTurn, writeSample } from '../../records/samples.js'
import { isEmpty, noStats, statsOf, statsSince, type WorkerStats } from '../../records/stats.js'
import { deleteHistory, type WrittenStats, writeHistory } from '../../records/write-history.js'
import type { JobDatabase } from '../../schema/job-database.js'
import { quotedName, type TableName } from '../../schema/names.js'
import { historyTable } from '../../schema/side-table.js'
import type { Record, Recorded } from './record.js'

/** For how long (milliseconds) minutes are kept, and how often what is older is looked for. */
const minutesKept = 2 * 86_400_000
const deletionInterval = 600_000

/** Runners ask for their turn to sample a while apart, so that the first has most often come before the others ask. */
const spread = 2_000

/** Adds up what became of jobs, and how much waits, by minutes and hours. */
export class Historian implements Record {
  readonly side = historyTable
  readonly doing = 'adding to the history of jobs'
  readonly #workers: readonly Recorded[]
  /** For how long (milliseconds) hours are kept. */
  readonly #hoursKept: number
  /** What of each worker is written. */
  readonly #written = new Map<Recorded, WorkerStats>()
  /** It is not known what becomes of what was sent: a late answer may still come. */
  #isUnsure = false
  /** Monotonic milliseconds. */
  #nextSample = 0
  #nextDeletion = performance.now() + Math.random() * deletionInterval

  constructor(workers: readonly Recorded[], hoursKept: number) {
    this.#workers = workers
    this.#hoursKept = hoursKept
  }

  async write(db: Kysely<JobDatabase>, table: TableName): Promise<void> {
    await this.last(db, table)
    await this.#sample(db, table)
    await this.#delete(db, table)
  }

  /** What is counted and not written goes with the next; while an answer is awaited, as else it might be counted twice, nothing is sent. */
  async last(db: Kysely<JobDatabase>, table: TableName): Promise<void> {
    if (this.#isUnsure) return
    const now = new Map(this.#workers.map((worker) => [worker, worker.stats()]))
    const written = this.#since(now)
    if (written.length === 0) return
    this.#isUnsure = true
    try {
      await writeHistory(db, table, written)
      for (const [worker, stats] of now) this.#written.set(worker, stats)
    } finally {
      this.#isUnsure = false
    }
  }

  /** What came since, by tables. */
  #since(now: ReadonlyMap<Recorded, WorkerStats>): WrittenStats[] {
    const counted = [...now].flatMap(([worker, stats]) => {
      const state = worker.describe?.()
      const of = state && { schema: state.schema, name: state.table }
      return of === undefined ? [] : [{ of, stats: statsSince(stats, this.#written.get(worker) ?? noStats) }]
    })
    return [...Map.groupBy(counted, ({ of }) => quotedName(of)).values()]
      .flatMap((some) => some.slice(0, 1).map(({ of }) => ({ of, stats: statsOf(some.map(({ stats }) => stats)) })))
      .filter(({ stats }) => !isEmpty(stats))
  }

  async #sample(db: Kysely<JobDatabase>, table: TableName): Promise<void> {
    if (performance.now() < this.#nextSample) return
    const states = this.#workers.flatMap((worker) => worker.describe?.() ?? [])
    const tables = new Map(states.map(({ schema, table: name }) => [quotedName({ schema, name }), { schema, name }]))
    if (tables.size === 0) return
    const { won, next } = await takeTurn(db, table, [...tables.values()])
    this.#nextSample = performance.now() + next + Math.random() * spread
    for (const of of won) {
      const sample = await sampleOf(db, of).catch((error: unknown) => {
        throw mayPass(error) ? error : new Error(`${quotedName(of)} could not be looked at`, { cause: error })
      })
      if (sample !== undefined) await writeSample(db, table, of, sample)
    }
  }

  async #delete(db: Kysely<JobDatabase>, table: TableName): Promise<void> {
    if (performance.now() < this.#nextDeletion) return
    this.#nextDeletion = performance.now() + deletionInterval
    await deleteHistory(db, table, { minute: minutesKept, hour: this.#hoursKept })
  }
}
