import { randomUUID } from 'node:crypto'
import type { Kysely } from 'kysely'
import { sqlState } from '../pg/error-class.js'
import type { Lease } from '../predicates/lease.js'
import { enqueue } from '../queue/enqueue.js'
import { fetchNextJobs } from '../queue/fetch.js'
import type { Job } from '../schema/job-table.js'
import { leaseOf } from '../schema/row.js'
import type { JobStatus } from '../schema/statuses.js'
import { createWorker } from '../worker/create-worker.js'
import { silent } from '../worker/logger.js'
import type { WorkerOptions } from '../worker/options.js'
import type { Handler } from '../worker/run/handler.js'
import type { Worker } from '../worker/worker.js'
import { BrokenError } from './broken.js'
import type { Stage } from './stage.js'
import { type SuiteDatabase, table } from './suite-table.js'

export type SuiteJob = Job<SuiteDatabase, 'jobs'>
type SuiteHandler = Handler<SuiteDatabase, 'jobs'>
type SuiteWorker = Worker<SuiteDatabase, 'jobs'>

/** A job as a promise enqueues it. */
type NewJob = Partial<Pick<SuiteJob, 'tenant_id' | 'label' | 'priority' | 'max_attempts'>>

interface ScenicOptions extends WorkerOptions<SuiteJob> {
  readonly db?: Kysely<SuiteDatabase>
  readonly limit?: { readonly by: 'tenant_id'; readonly max: number }
}

/** How a worker meets a server that can't do what it is asked: it would be asked again, and not do it then. */
const unable = /^(?:0A|42)/

const silence = { debug: silent, info: silent, warn: silent, error: silent }

/** So often a worker of the suite polls: quick enough for whoever waits, and no load. */
export const pollInterval = 100

/** What one promise is tried with: a table that is empty, and workers that stop when it is over. */
export class Scene {
  readonly stage: Stage
  readonly #workers: SuiteWorker[] = []
  readonly #refused = Promise.withResolvers<never>()
  #waitsFor = 'nothing'
  #lastError: string | undefined

  constructor(stage: Stage) {
    this.stage = stage
    this.#refused.promise.catch(() => {}) // who waits is told
  }

  get db(): Kysely<SuiteDatabase> {
    return this.stage.db
  }

  /** What it is waiting for, and what workers have said meanwhile. */
  get waiting(): string {
    return this.#lastError === undefined ? this.#waitsFor : `${this.#waitsFor}; a worker said: ${this.#lastError}`
  }

  /** Waits for something that may never come; what it was is told then. */
  until<T>(what: string, coming: Promise<T>): Promise<T> {
    this.#waitsFor = what
    return Promise.race([coming, this.#refused.promise])
  }

  /** Enqueues so many jobs, due at once. */
  enqueue(count: number, job: (n: number) => NewJob = () => ({})): Promise<SuiteJob[]> {
    const jobs = Array.from({ length: count }, (_, n) => ({ tenant_id: 1, label: `${n}`, ...job(n) }))
    return this.until('enqueue', enqueue(this.db, table, jobs))
  }

  async enqueueOne(job: NewJob = {}): Promise<SuiteJob> {
    const [one] = await this.enqueue(1, () => job)
    if (one === undefined) throw new BrokenError('enqueue: expected the inserted row, saw none')
    return one
  }

  /** Claims as a worker of this id does. */
  claim(limit: number, worker: string = randomUUID(), db = this.db): Promise<SuiteJob[]> {
    const columns = ['priority'] as const
    return this.until('a claim', fetchNextJobs(db, table, { worker, limit, columns, ...this.stage.known }))
  }

  /** Claims the one job that there is. */
  async claimOne(worker: string): Promise<{ readonly job: SuiteJob; readonly lease: Lease }> {
    const [job, ...more] = await this.claim(10, worker)
    if (job === undefined || more.length > 0)
      throw new BrokenError(`a claim: expected the one job that is due, saw ${job === undefined ? 0 : 1 + more.length}`)
    return { job, lease: leaseOf(job) }
  }

  /** A worker, to be started; it polls often where nothing else is said. */
  worker(handler: SuiteHandler, { db = this.db, ...options }: ScenicOptions = {}): SuiteWorker {
    const worker = createWorker(db, table, handler, { pollInterval, logger: silence, ...options })
    this.#workers.push(worker)
    worker.on('error', ({ error, doing }) => {
      this.#lastError = `${doing}: ${error instanceof Error ? error.message : String(error)}`
      if (unable.test(sqlState(error) ?? '')) this.#refused.reject(error)
    })
    return worker
  }

  async start(...workers: readonly SuiteWorker[]): Promise<void> {
    for (const worker of workers) await this.until('the start of a worker', worker.start())
  }

  /** A job as it is in the table. */
  async row(label: string): Promise<SuiteJob> {
    const row = await this.db.selectFrom(table).selectAll().where('label', '=', label).executeTakeFirst()
    if (row === undefined) throw new BrokenError(`the job ${label}: expected it in the table, saw it gone`)
    return row
  }

  async statuses(): Promise<Readonly<Record<string, JobStatus>>> {
    const rows = await this.db.selectFrom(table).select(['label', 'status']).orderBy('label').execute()
    return Object.fromEntries(rows.map(({ label, status }) => [label, status]))
  }

  /** Lets a running job look as if its worker had been gone for a day. */
  async age({ tenant_id, id }: SuiteJob): Promise<void> {
    const long = new Date(Date.now() - 86_400_000)
    await this.db
      .updateTable(table)
      .set({ locked_at: long })
      .where('tenant_id', '=', tenant_id)
      .where('id', '=', id)
      .execute()
  }

  /** Stops its workers at once. */
  async close(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.stop({ deadline: 0 })))
  }
}
