import type { Kysely } from 'kysely'
import { startError } from '../pg/connection-error.js'
import { mayPass, sqlState } from '../pg/error-class.js'
import { type Declared, declareAll, declared, type Served } from '../schedule/declare.js'
import { type Fired, FiringError, fireOne, nextFirings } from '../schedule/fire.js'
import type { Schedule } from '../schedule/schedule.js'
import { type ScheduleKey, type Schedules, schedulesOf } from '../schedule/schedules-table.js'
import { identifyTable, type Lookup } from '../schema/identify.js'
import { jobsOf } from '../schema/job-database.js'
import type { Queryable } from '../schema/job-table.js'
import { quotedName, schedulesChannel, type TableName } from '../schema/names.js'
import { findSideTable, schedulesTable } from '../schema/side-table.js'
import { Bell } from '../watch/bell.js'
import { Pause } from '../watch/pause.js'
import type { Subscription, SubscriptionHooks } from '../watch/shared-listener.js'
import { ask } from '../worker/ask.js'

/** What a scheduler needs of a worker. */
export interface Scheduling {
  readonly table: string
  readonly db: Pick<Kysely<unknown>, 'getExecutor'> & Lookup
  /** Hears another channel by the worker's listener; undefined: it has none. */
  hear?(channel: string, hooks: SubscriptionHooks): Subscription | undefined
}

/** What becomes of a schedule that code declared once, and does not any more. */
export type Undeclared = 'remove' | 'keep'

interface SchedulerOptions {
  readonly workers: readonly Scheduling[]
  /** Undefined: the runner declares none, and has no say about those that are declared. */
  readonly schedules: readonly Schedule[] | undefined
  readonly undeclared: Undeclared
  readonly tell: {
    /** A schedule was fired, or slots of it were passed over. */
    fired(fired: Fired): void
    /** Schedules that code does not declare any more. */
    leftOver(keys: readonly ScheduleKey[], undeclared: Undeclared): void
    failed(error: unknown, doing: string, key?: ScheduleKey): void
  }
}

/** How often (milliseconds) schedules are looked at unasked: the clock of the database may jump, and not all workers listen. */
const lookInterval = 30_000

/** How long (milliseconds) a statement or a firing may take. */
const limit = 60_000

/** How long (milliseconds) a schedule is left to another runner that is just firing it. */
const busyInterval = 50

/** How long (milliseconds) a schedule that could not be fired is left alone. */
const failedInterval = 10_000

/** Fires schedules: those that its runner declares, and those that are kept for the tables of its workers. */
export class Scheduler {
  readonly #db: Queryable<unknown>
  readonly #options: SchedulerOptions
  readonly #bell = new Bell()
  readonly #pause = new Pause()
  /** Schedules that could not be fired, and until when (monotonic milliseconds) they are left alone. */
  readonly #failed = new Map<string, { readonly key: ScheduleKey; readonly until: number }>()
  #served: Served = { declared: [], tables: [] }
  #table: Schedules | undefined
  #subscription: Subscription | undefined
  #running: Promise<void> | undefined
  #told: string | undefined
  #stopped = false

  constructor(db: Queryable<unknown>, options: SchedulerOptions) {
    this.#db = db
    this.#options = options
  }

  /**
   * Writes what is declared, then fires what is due until it is stopped. Called when the workers have started.
   * @param retry waits for a server that is away
   * @throws SideTableError, NoSuchTableError, JobTableError; whatever else the database says
   */
  async start(retry: boolean): Promise<void> {
    while (!this.#stopped && this.#running === undefined) {
      try {
        await this.#declare()
        this.#running ??= this.#run()
      } catch (error) {
        if (!retry || !mayPass(error) || sqlState(error)?.startsWith('28')) throw startError(error)
        await this.#pause.longer(error)
      }
    }
  }

  /** Resolves when the firing that is under way is over. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#pause.end()
    this.#bell.close()
    await Promise.all([this.#running, this.#subscription?.close()])
  }

  async #declare(): Promise<void> {
    const { workers, schedules, undeclared } = this.#options
    const tables = await Promise.all(workers.map(({ db, table }) => identifyTable(db, table)))
    const all: Declared[] = []
    for (const schedule of schedules ?? []) all.push(await declared(schedule))
    this.#served = { declared: all, tables: distinct([...tables, ...all.map(({ of }) => of)]) }
    if (schedules === undefined) return
    const table = await schedulesOf(this.#db)
    const left = await this.#ask('declaring schedules', table, (schedules) =>
      declareAll(schedules, this.#served, undeclared === 'remove'),
    )
    this.#options.tell.leftOver(left, undeclared)
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      const wait = await this.#look().catch((error: unknown) => {
        this.#table = undefined // it may have been dropped, or made anew
        this.#report(error)
        return this.#pause.next(error)
      })
      await this.#bell.wait(Math.min(wait, lookInterval))
    }
  }

  /** Fires all that is due. @returns milliseconds until the next look */
  async #look(): Promise<number> {
    const schedules = await this.#found()
    if (schedules === undefined) return lookInterval
    let waits = await this.#nextFirings(schedules)
    for (const [place, of] of this.#served.tables.entries()) {
      while (isDue(waits[place]) && !this.#stopped && (await this.#fireOne(schedules, of)));
    }
    if (waits.some(isDue)) waits = await this.#nextFirings(schedules)
    this.#pause.reset()
    this.#told = undefined
    const wait = Math.min(
      ...waits.map((each) => each ?? lookInterval),
      this.#failed.size > 0 ? failedInterval : lookInterval,
    )
    return wait <= 0 ? busyInterval : wait + 1 // a timer may be early by less
  }

  /** The table of schedules, looked up once; where nothing is declared it may be missing. */
  async #found(): Promise<Schedules | undefined> {
    if (this.#table !== undefined) return this.#table
    const { db } = jobsOf(this.#db, schedulesTable.name)
    const mayBeMissing = this.#served.declared.length === 0
    if (mayBeMissing && (await findSideTable(db, schedulesTable)) === undefined) return undefined
    this.#table = await schedulesOf(this.#db)
    this.#listen(this.#table)
    return this.#table
  }

  #nextFirings(schedules: Schedules): Promise<(number | null)[]> {
    return this.#ask('looking for the next schedule', schedules, (asked) =>
      nextFirings(asked, this.#served, this.#leftAlone()),
    )
  }

  /** @returns whether one was due */
  async #fireOne(schedules: Schedules, of: TableName): Promise<boolean> {
    try {
      const fired = await this.#ask('firing a schedule', schedules, (asked) =>
        fireOne(asked, of, this.#served, this.#leftAlone()),
      )
      if (fired !== undefined) this.#options.tell.fired(fired)
      return fired !== undefined
    } catch (error) {
      if (!(error instanceof FiringError) || mayPass(error.cause)) throw error
      this.#failed.set(JSON.stringify(error.key), { key: error.key, until: performance.now() + failedInterval })
      this.#options.tell.failed(error.cause, `firing the schedule ${error.key.name}`, error.key)
      return true
    }
  }

  #leftAlone(): ScheduleKey[] {
    for (const [name, { until }] of this.#failed) if (until <= performance.now()) this.#failed.delete(name)
    return [...this.#failed.values()].map(({ key }) => key)
  }

  #ask<Value>(
    doing: string,
    schedules: Schedules,
    statement: (schedules: Schedules) => Promise<Value>,
  ): Promise<Value> {
    return ask(schedules.db, limit, doing, (db) => statement({ ...schedules, db }))
  }

  /** Hears of schedules that were added, as soon as a worker has a listener. */
  #listen({ table }: Schedules): void {
    const heard = () => this.#bell.ring()
    for (const worker of this.#options.workers) {
      this.#subscription ??= worker.hear?.(schedulesChannel(table), { notified: heard, changed: heard })
    }
  }

  /** Once for each reason: while a server is away every look fails alike. */
  #report(error: unknown): void {
    if (this.#told === String(error)) return
    this.#told = String(error)
    this.#options.tell.failed(error, 'looking for schedules that are due')
  }
}

const isDue = (wait: number | null | undefined): boolean => typeof wait === 'number' && wait <= 0

const distinct = (tables: readonly TableName[]): TableName[] => [
  ...new Map(tables.map((table) => [quotedName(table), table])).values(),
]
