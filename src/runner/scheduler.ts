import type { Kysely } from 'kysely'
import { startError } from '../pg/connection-error.js'
import { mayPass, sqlState } from '../pg/error-class.js'
import { declaredOf, reviewDeclared, type Served, writeSchedules } from '../schedule/declare.js'
import { type Fired, FiringError, fireDue, nextFirings } from '../schedule/fire.js'
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
import { FailedSchedules, isOfAll } from './failed-schedules.js'

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

/** How long (milliseconds) a schedule is left to another runner that is just firing it: twice as long each time, up to so long. */
const busyInterval = 50
const longestBusy = 2_000

/** The most schedules that are fired together. */
const mostTogether = 100

/** Fires schedules: those that its runner declares, and those that are kept for the tables of its workers. */
export class Scheduler {
  readonly #db: Queryable<unknown>
  readonly #options: SchedulerOptions
  readonly #bell = new Bell()
  readonly #pause = new Pause()
  readonly #failed = new FailedSchedules()
  /** Tables of which one schedule at a time is fired, as one of several could not be. */
  readonly #oneByOne = new Set<TableName>()
  #busy = busyInterval
  #reviewedAt = Number.NEGATIVE_INFINITY
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
        this.#report(error, 'declaring schedules, which is tried again')
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
    const { workers, schedules = [] } = this.#options
    const tables = await Promise.all(workers.map(({ db, table }) => identifyTable(db, table)))
    const declared = await declaredOf(schedules)
    this.#served = { declared, tables: distinct([...tables, ...declared.map(({ of }) => of)]) }
    if (this.#options.schedules === undefined) return
    const table = await schedulesOf(this.#db)
    await this.#ask('declaring schedules', table, async (asked) => {
      if (!this.#stopped) await writeSchedules(asked, declared, 'code')
    })
    await this.#review(table)
  }

  /** So that code of several versions may run at the same time: what none of it declares is not fired, and removed by and by. */
  async #review(schedules: Schedules): Promise<void> {
    const { undeclared } = this.#options
    if (this.#options.schedules === undefined || this.#stopped) return
    if (performance.now() < this.#reviewedAt + lookInterval) return
    const isFirst = this.#reviewedAt === Number.NEGATIVE_INFINITY
    this.#reviewedAt = performance.now()
    const left = await this.#ask('looking for schedules that no code declares', schedules, (asked) =>
      reviewDeclared(asked, this.#served, undeclared === 'remove'),
    )
    if (undeclared === 'remove' || isFirst) this.#options.tell.leftOver(left, undeclared)
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      const wait = await this.#look().catch((error: unknown) => {
        this.#table = undefined // it may have been dropped, or made anew
        this.#report(error, 'looking for schedules that are due')
        return this.#pause.next(error)
      })
      await this.#bell.wait(Math.min(wait, lookInterval))
    }
  }

  /** Fires all that is due. @returns milliseconds until the next look */
  async #look(): Promise<number> {
    const schedules = await this.#found()
    if (schedules === undefined) return lookInterval
    await this.#review(schedules)
    const before = await this.#nextFirings(schedules)
    const due = this.#served.tables.filter((_, place) => isDue(before[place]))
    const hasFired = await this.#fireAll(schedules, due)
    const waits = due.length === 0 ? before : await this.#nextFirings(schedules)
    this.#pause.reset()
    this.#told = undefined
    this.#busy = hasFired || !waits.some(isDue) ? busyInterval : Math.min(longestBusy, this.#busy * 2)
    const wait = Math.min(...waits.map((each) => each ?? lookInterval), this.#failed.wait, lookInterval)
    return wait <= 0 ? this.#busy : wait + 1 // a timer may be early by less
  }

  /** Some of each table in turn, until none is due. @returns whether any was fired */
  async #fireAll(schedules: Schedules, due: readonly TableName[]): Promise<boolean> {
    let hasFired = false
    for (let tables = due; tables.length > 0 && !this.#stopped; ) {
      const more: TableName[] = []
      for (const of of tables) if (!this.#stopped && (await this.#fireSome(schedules, of))) more.push(of)
      hasFired ||= more.length > 0
      tables = more
    }
    this.#oneByOne.clear()
    return hasFired
  }

  /** @returns whether any was due */
  async #fireSome(schedules: Schedules, of: TableName): Promise<boolean> {
    const most = this.#oneByOne.has(of) ? 1 : mostTogether
    try {
      const except = this.#failed.leftAlone
      const fired = await this.#ask('firing schedules', schedules, (asked) =>
        fireDue(asked, of, this.#served, { except, most }),
      )
      for (const each of fired) {
        this.#failed.remove(each)
        this.#options.tell.fired(each)
      }
      return fired.length > 0
    } catch (error) {
      const { keys, cause } = error instanceof FiringError ? error : { keys: [], cause: error }
      if (isOfAll(cause)) throw cause
      const [key, ...others] = keys
      if (others.length > 0) this.#oneByOne.add(of)
      else if (key !== undefined) this.#leaveAlone(key, cause)
      else this.#report(cause, `firing schedules of ${of.name}`)
      return key !== undefined
    }
  }

  #leaveAlone(key: ScheduleKey, error: unknown): void {
    const seconds = Math.round(this.#failed.add(key) / 1000)
    this.#options.tell.failed(error, `firing the schedule ${key.name}, which is tried again in ${seconds} s`, key)
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
      nextFirings(asked, this.#served, this.#failed.leftAlone),
    )
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
  #report(error: unknown, doing: string): void {
    if (this.#told === String(error)) return
    this.#told = String(error)
    this.#options.tell.failed(error, doing)
  }
}

const isDue = (wait: number | null | undefined): boolean => typeof wait === 'number' && wait <= 0

const distinct = (tables: readonly TableName[]): TableName[] => [
  ...new Map(tables.map((table) => [quotedName(table), table])).values(),
]
