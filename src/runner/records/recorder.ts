import type { Kysely } from 'kysely'
import { mayPass, sqlState } from '../../pg/error-class.js'
import type { JobDatabase } from '../../schema/job-database.js'
import { DeadlineError, inTime } from '../../watch/deadline.js'
import { ask, NoConnectionError } from '../../worker/ask.js'
import type { Logger } from '../../worker/logger.js'
import { errorText } from '../../worker/run/error-text.js'
import type { Record } from './record.js'
import { SidePlace } from './side-place.js'

/** All in milliseconds. */
export interface RecorderTimes {
  /** How often records are written; runners drift apart by a share of it. */
  readonly interval: number
  /** How often a side table is looked for that is missing, or does not serve. */
  readonly lookInterval: number
  /** How long a statement may take, and all of the last ones together. */
  readonly limit: number
  readonly lastLimit: number
}

const defaultTimes: RecorderTimes = { interval: 10_000, lookInterval: 600_000, limit: 5_000, lastLimit: 500 }

const jitter = 0.2

/** What Postgres says of a table or column that is not there any more, or not allowed. */
const structural = /^42/

interface Kept {
  readonly record: Record
  readonly place: SidePlace
  /** Why it could not be written, as the log knows. */
  told: string | undefined
}

/** Writes a runner's records, one after the other, and again and again. Whatever becomes of that, the runner goes on. */
export class Recorder {
  readonly #db: Kysely<JobDatabase>
  readonly #records: readonly Kept[]
  readonly #logger: Logger
  readonly #times: RecorderTimes
  #timer: NodeJS.Timeout | undefined
  #round: Promise<void> | undefined
  #stopping: Promise<unknown> | undefined

  constructor(db: Kysely<JobDatabase>, records: readonly Record[], logger: Logger, times: Partial<RecorderTimes> = {}) {
    this.#db = db
    this.#logger = logger
    this.#times = { ...defaultTimes, ...times }
    const place = ({ side }: Record) => new SidePlace(side, this.#times.lookInterval)
    this.#records = records.map((record) => ({ record, place: place(record), told: undefined }))
  }

  start(): void {
    this.#round ??= this.#writeAll()
  }

  /** Called when the workers have stopped: writes what is left to be written, for half a second at most. */
  async stop(): Promise<void> {
    clearTimeout(this.#timer)
    this.#stopping ??= inTime(this.#writeLast(), this.#times.lastLimit)
    await this.#stopping
  }

  async #writeAll(): Promise<void> {
    for (const kept of this.#records) if (this.#stopping === undefined) await this.#write(kept, 'write')
    if (this.#stopping !== undefined) return
    const pause = this.#times.interval * (1 + (Math.random() - 0.5) * jitter)
    this.#timer = setTimeout(() => {
      this.#round = this.#writeAll()
    }, pause)
  }

  async #writeLast(): Promise<void> {
    if (this.#round === undefined) return // it has not begun
    await this.#round
    await Promise.all(this.#records.map((kept) => this.#write(kept, 'last')))
  }

  async #write(kept: Kept, what: 'write' | 'last'): Promise<void> {
    const { record, place } = kept
    if (!place.isWorthwhile) return
    const { limit, lastLimit } = this.#times
    try {
      await ask(this.#db, what === 'last' ? lastLimit : limit, record.doing, async (db) => {
        const table = await place.find(db)
        if (table !== undefined) await record[what](db, table)
      })
      kept.told = undefined
    } catch (error) {
      if (structural.test(sqlState(error) ?? '')) place.forget()
      this.#report(kept, error)
    }
  }

  /** Once for each reason; of a database that is away, or busy, the workers tell. */
  #report(kept: Kept, error: unknown): void {
    if (error instanceof DeadlineError || error instanceof NoConnectionError || mayPass(error)) return
    const text = errorText(error)
    if (kept.told === text) return
    kept.told = text
    const { side, doing } = kept.record
    this.#logger.warn(
      { table: side.name, error: text },
      `${side.name}: an error while ${doing}; the runner goes on without`,
    )
  }
}
