import { sqlState } from '../../pg/error-class.js'
import { proveKey } from '../../queue/key-given.js'
import { type KeptPause, missingSide, type PausesPlace, type ReadPauses, readPauses } from '../../queue/pauses.js'
import type { Lookup } from '../../schema/identify.js'
import type { TableName } from '../../schema/names.js'
import { SideTableError } from '../../schema/side-table.js'
import { NoticeLimit } from '../../watch/notice-limit.js'
import { Pause } from '../../watch/pause.js'
import { after, type Timer } from '../../watch/timer.js'

/** How often (milliseconds) they are read unasked, while there are some or they can't be read: the database's clock may have been set. */
const whilePaused = 30_000

/** The table of pauses was dropped, or is not this role's any more. */
const isGone = /^(?:42P01|42501|3F000)$/

/** A poll that was sent before that was seen fails so many milliseconds later at most. */
const longestAnswer = 1_000

/** How a worker reads pauses. */
interface Reading {
  /** The user's handle, by which the table of pauses is found. */
  readonly db: Lookup
  /** The job table. */
  readonly table: TableName
  /** Sends a statement, and waits for its answer as a worker does. */
  ask<Answer>(question: (db: Lookup) => Promise<Answer>): Promise<Answer>
  read(pauses: ReadPauses['pauses'], now: Date): void
  /** It is being read, or not any more. */
  reading(isUnderWay: boolean): void
  report(error: unknown, doing: string): void
}

/** A pause that is of no job, as the table has changed. */
class UnfitPauseError extends Error {
  override readonly name = 'UnfitPauseError'
  readonly code = 'PAUSE_UNFIT'
}

/** Reads the pauses of a worker's table again when it is told that they have changed, by a notification or by a poll. */
export class PauseReader {
  readonly #reading: Reading
  readonly #limit = new NoticeLimit()
  readonly #errorPause = new Pause()
  /** The table that has them; undefined: there is none, or it can't be read. */
  #side: TableName | undefined
  /** As a poll tells it. */
  #version: string | null = null
  /** Also where nobody tells of it. */
  #isToBeRead = false
  /** When (monotonic milliseconds) it was last seen that the table of pauses is gone. */
  #lostAt = Number.NEGATIVE_INFINITY
  #looking: Promise<void> | undefined
  /** Somebody told meanwhile. */
  #isStale = false
  #timer: Timer | undefined
  #reported: string | undefined
  /** Keys that fit, with the types of their columns. */
  readonly #proven = new Set<string>()
  #state: 'new' | 'open' | 'closed' = 'new'

  constructor(reading: Reading) {
    this.#reading = reading
  }

  /** For the poll. */
  get place(): PausesPlace {
    const { db, table } = this.#reading
    return { of: table, side: this.#side ?? missingSide(db) }
  }

  /** There is a table in which a pause may be written at any moment. */
  get isPossible(): boolean {
    return this.#side !== undefined
  }

  /** The first time, before the worker starts. @throws what the database says of any statement */
  async first(): Promise<void> {
    await this.#read((question) => question(this.#reading.db))
  }

  /** The worker has started. */
  open(): void {
    this.#state = 'open'
    if (this.#isToBeRead) this.#again(whilePaused)
  }

  /** A poll has seen this version. */
  polled(version: string | null): void {
    if (version !== this.#version) this.look(version)
  }

  /** A statement failed: it may be by a key that does not fit the table any more. */
  suspect(error: unknown): void {
    if (this.#version === null || !/^(?:22|42883)/.test(sqlState(error) ?? '')) return
    this.#proven.clear() // a value of an enum may be gone
    this.look()
  }

  /** A poll failed: it may be by the table of pauses. @returns whether it is */
  failed(error: unknown): boolean {
    const wasPossible = this.isPossible || performance.now() < this.#lostAt + longestAnswer
    if (!wasPossible || !isGone.test(sqlState(error) ?? '')) return false
    this.look()
    return true
  }

  /** Looks now, or as soon as it may. */
  look(version: string | null = this.#version): void {
    this.#isStale = true
    this.#timer?.cancel()
    if (this.#state !== 'open' || this.#looking !== undefined) return
    const { wait } = this.#limit
    if (wait === 0) this.#reading.reading(true) // not where so many notices came that it waits for its turn
    this.#timer = after(wait, () => {
      this.#looking = this.#look(version).finally(() => {
        this.#looking = undefined
        this.#reading.reading(false)
        if (this.#isStale) this.look()
      })
    })
  }

  close(): void {
    this.#state = 'closed'
    this.#timer?.cancel()
  }

  async #look(version: string | null): Promise<void> {
    this.#isStale = false
    const before = this.#version
    try {
      await this.#read((question) => this.#reading.ask(question), version)
      this.#errorPause.reset()
      this.#limit.looked(this.#version !== before)
    } catch (error) {
      this.#reading.report(error, 'reading what is paused')
      this.#again(this.#errorPause.next(error))
    }
  }

  #again(wait: number): void {
    if (this.#state !== 'open') return
    this.#timer?.cancel()
    this.#timer = after(wait, () => this.look())
  }

  async #read(ask: Reading['ask'], version: string | null = null): Promise<void> {
    this.#isToBeRead = false
    const found = await ask(async (db) => {
      const read = await this.#found(db)
      return read && { ...read, all: read.pauses, pauses: await this.#fit(db, read.pauses) }
    })
    if (this.#state === 'closed') return
    if (this.isPossible && found === undefined) this.#lostAt = performance.now()
    this.#side = found?.side
    this.#version = found?.version ?? version
    const { pauses = [], now = new Date() } = found ?? {}
    this.#reading.read(pauses, now)
    this.#isToBeRead ||= found !== undefined && found.all.length > 0
    if (this.#isToBeRead) this.#again(whilePaused)
  }

  /** @returns undefined where there is none that can be read; the log tells why not */
  async #found(db: Lookup): Promise<ReadPauses | undefined> {
    const { table } = this.#reading
    try {
      if (this.#side !== undefined) return await readPauses(db, table, this.#side)
    } catch (error) {
      if (!isGone.test(sqlState(error) ?? '')) throw error
    }
    try {
      return await readPauses(db, table)
    } catch (error) {
      if (!(error instanceof SideTableError)) throw error
      this.#reportOnce(error)
      this.#isToBeRead = true // it may be granted by then
      return undefined
    }
  }

  /** Those that Postgres can compare with the columns as they are now; the log tells of another. */
  async #fit(db: Lookup, pauses: ReadPauses['pauses']): Promise<ReadPauses['pauses']> {
    const fit: KeptPause[] = []
    for (const pause of pauses) {
      const flaw = await this.#flawOf(db, pause)
      if (flaw === undefined) fit.push(pause)
      else this.#reportOnce(new UnfitPauseError(`A pause is of jobs by ${flaw}, so it is of none: pause them anew`))
    }
    return fit
  }

  async #flawOf(db: Lookup, { where = {}, types }: KeptPause): Promise<string | undefined> {
    const names = Object.keys(where)
    const lost = names.find((name) => (types[name] ?? null) === null)
    if (lost !== undefined) return `'${lost}', which the table has not got any more`
    const text = JSON.stringify([where, types])
    try {
      if (names.length > 0 && !this.#proven.has(text)) await proveKey(db, where, types)
      this.#proven.add(text)
      return undefined
    } catch (error) {
      if (!/^(?:22|42)/.test(sqlState(error) ?? '')) throw error
      return `${names.join(', ')}, whose type does not hold its value any more`
    }
  }

  #reportOnce(error: Error): void {
    if (this.#reported !== error.message) this.#reading.report(error, 'reading what is paused')
    this.#reported = error.message
  }
}
