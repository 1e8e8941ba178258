import { randomUUID } from 'node:crypto'
import { setInterval as every, setTimeout as sleep } from 'node:timers/promises'
import { Kysely, PostgresDialect, sql } from 'kysely'
import { cancelJobs, createWorker, type EnqueueOptions, enqueue, guardPool, linear, type Worker } from 'kysely-jobs'
import { isPending, isRunning, rescue } from 'kysely-jobs/queue'
import pg from 'pg'
import type { Proxy as FaultProxy } from '../../support/proxy.ts'
import { Deeds, type Errand, lease, type MessageDatabase, timeout } from './errands.ts'
import type { Lane } from './lane.ts'
import type { Load } from './load.ts'
import type { Strike } from './point.ts'

/** Attempts that a job has where nothing else is said: more than any fault costs. */
export const maxAttempts = 25

/** How long one part of a course may take, whatever is cut. */
const patience = 20_000

/** How long a worker's handlers may run on after its stop, and how long the stop itself may take after that. */
const deadline = 50
const promised = 1_000

const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

/** What a course needs to know of the fault that strikes it; none strikes a recording. */
type Struck = Pick<Strike, 'over'> | undefined

/**
 * The fixed scenario: one worker through the proxy, and every statement it has, one part after the other, so that the same is
 * said in the same order each time. A second worker, past the proxy, does what the first left when it stopped.
 */
export class Course {
  readonly deeds = new Deeds()
  readonly workers: { worker: string; pid: number }[] = []
  /** What was not as promised. */
  readonly breaches: string[] = []
  /** How much longer (milliseconds) the stop took than promised. */
  stopLate = 0
  /** How long (milliseconds) jobs took to be final, at most. */
  slowest = 0
  #isOver = false
  readonly #lane: Lane
  readonly #proxy: FaultProxy
  readonly #struck: Struck
  readonly #load: Load
  /** The user's own handle, which is the worker's. */
  readonly #db: Kysely<MessageDatabase>
  readonly #worker: Worker<MessageDatabase, 'chaos_jobs'>

  constructor(lane: Lane, proxy: FaultProxy, struck: Struck, load: Load) {
    this.#load = load
    this.#lane = lane
    this.#proxy = proxy
    this.#struck = struck
    const pool = guardPool(new pg.Pool({ connectionString: proxy.url, max: 4, application_name: 'course' }))
    this.#db = new Kysely({ dialect: new PostgresDialect({ pool }) })
    this.#worker = this.#createWorker(this.#db, proxy.url, false)
  }

  #createWorker(db: Kysely<MessageDatabase>, listen: string | undefined, isSuccessor: boolean) {
    const pid = this.workers.length + 1
    const worker = createWorker(db, 'chaos_jobs', this.deeds.handler(db, pid, isSuccessor), {
      ...{ lease, timeout, maxAttempts, listen, logger: quiet },
      ...{ concurrency: 4, pollInterval: 300, backoff: linear({ delay: 30 }) },
    })
    this.workers.push({ worker: worker.id, pid })
    return worker
  }

  /** @param isRescued somebody else rescues meanwhile what the worker can not keep */
  async run(isRescued: boolean): Promise<void> {
    await this.#leaveOrphan()
    await this.#start()
    await this.#ended('orphan')
    const rescuing = isRescued ? this.#rescueAll() : undefined
    await this.#enqueue(['work', 'work', 'work'])
    for (const act of ['complete', 'retry', 'retryIn', 'snooze', 'fatal', 'cancel'] as const) await this.#enqueue([act])
    await this.#enqueue(['scheduled'], { delay: 40 })
    await this.#enqueue(['long', 'slow'])
    await this.#cancelOne()
    await this.#stop()
    await this.#succeed()
    this.#isOver = true
    await rescuing
  }

  /** A job of a worker that is gone. */
  async #leaveOrphan(): Promise<void> {
    const held = { status: 'job_status_running', attempts_count: 1, locked_by: randomUUID() } as const
    const locked_at = sql<Date>`now() - interval '1 minute'`
    await this.#lane.db
      .insertInto('chaos_jobs')
      .values({ act: 'orphan', ...held, locked_at })
      .execute()
  }

  /** As a program would that waits for its database. A recording waits for its listener as well. */
  async #start(): Promise<void> {
    const started = this.#worker.start({ retry: true })
    const listening = new Promise<void>((resolve) => {
      this.#worker.on('listener', ({ state }) => state === 'listening' && resolve())
    })
    const ready = (this.#struck ? started : Promise.all([started, listening])).then(() => true)
    const isReady = await Promise.race([ready, sleep(patience, false, { ref: false })])
    if (!isReady) this.breaches.push('the worker did not start')
  }

  /** What another worker would do, which finds no slot to run them itself. */
  async #rescueAll(): Promise<void> {
    const options = { lease, maxAttempts, columns: ['max_attempts'] } as const
    for await (const _ of every(150)) {
      if (this.#isOver) return
      await rescue(this.#lane.db, 'chaos_jobs', options)
    }
  }

  /** Enqueues jobs and waits for their end. Whoever enqueues is told whether they are there: all or none. */
  async #enqueue(acts: readonly Errand[], options: EnqueueOptions = {}): Promise<void> {
    await this.#put(acts, options)
    await this.#ended(...acts)
  }

  async #put(acts: readonly Errand[], options: EnqueueOptions = {}): Promise<void> {
    const rows = acts.map((act) => ({ act, max_attempts: act === 'slow' ? 1 : null }))
    const send = (db: Kysely<MessageDatabase>) => enqueue(db, 'chaos_jobs', rows, options)
    const told = await send(this.#db).then(
      (jobs) => jobs.length,
      () => undefined,
    )
    if (told === undefined) await this.#struck?.over // what is on its way may still arrive
    const { length } = await this.#ids(acts)
    if (length !== (told ?? length) || (length !== 0 && length !== acts.length))
      this.breaches.push(`enqueue told of ${told ?? 'an error'}, and ${length} jobs of ${acts.length} are there`)
    if (length === 0) await send(this.#lane.db)
  }

  async #ids(acts: readonly Errand[]): Promise<string[]> {
    const rows = await this.#lane.db.selectFrom('chaos_jobs').select('id').where('act', 'in', acts).execute()
    return rows.map(({ id }) => id)
  }

  /** Waits until all jobs of these acts are final. Those that never are the invariants tell of. */
  async #ended(...acts: readonly Errand[]): Promise<void> {
    const unfinished = this.#lane.db
      .selectFrom('chaos_jobs')
      .select('id')
      .where('act', 'in', acts)
      .where((eb) => eb.or([isPending(), isRunning()]))
      .limit(1)
    const since = performance.now()
    const isOver = await this.#until(async () => {
      const asked = performance.now()
      const first = await unfinished.executeTakeFirst()
      this.#load.answered(performance.now() - asked)
      return first === undefined
    })
    if (!isOver) this.breaches.push(`${acts.join(', ')}: not final within ${patience} ms`)
    this.slowest = Math.max(this.slowest, performance.now() - since)
  }

  async #until(isSo: () => boolean | Promise<boolean>): Promise<boolean> {
    for (const end = performance.now() + patience; performance.now() < end; await sleep(25))
      if (await isSo()) return true
    return false
  }

  /** A job that runs is cancelled, and its handler told. */
  async #cancelOne(): Promise<void> {
    await this.#put(['cancelled'])
    const [id = ''] = await this.#ids(['cancelled'])
    await this.#until(() => this.deeds.of(id).length > 0)
    const ids = { ids: [id] }
    const told = await cancelJobs(this.#db, 'chaos_jobs', ids).catch(() => undefined)
    if (told === undefined) {
      await this.#struck?.over
      await cancelJobs(this.#lane.db, 'chaos_jobs', ids) // as its caller would: to cancel twice is harmless
    }
    await this.#ended('cancelled')
    if (!(await this.#until(() => this.deeds.of(id).every(({ ended }) => ended !== null))))
      this.breaches.push('a handler was not told that its job was cancelled')
  }

  /** With a job at work, which heeds its signal and is handed back. */
  async #stop(): Promise<void> {
    await this.#put(['left'])
    const [id = ''] = await this.#ids(['left'])
    await this.#until(() => this.deeds.of(id).length > 0)
    const since = performance.now()
    const { left } = await this.#worker.stop({ deadline })
    this.stopLate = performance.now() - since - deadline - promised
    if (left > 0) this.breaches.push(`${left} handlers did not heed their signal`)
    const gone = this.#db.destroy().then(() => true)
    const isGone = await Promise.race([gone, sleep(patience).then(() => false)])
    const isClosed = await this.#until(() => this.#proxy.connections === 0)
    if (!isGone || !isClosed) this.breaches.push(`the worker left ${this.#proxy.connections} connections behind`)
  }

  async #succeed(): Promise<void> {
    const successor = this.#createWorker(this.#lane.db, undefined, true)
    await successor.start()
    const all: Errand[] = ['orphan', 'work', 'scheduled', 'complete', 'long', 'retry', 'retryIn', 'snooze', 'fatal']
    await this.#ended(...all, 'slow', 'cancel', 'cancelled', 'left')
    await successor.stop()
  }
}
