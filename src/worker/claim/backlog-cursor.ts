import type { Since } from '../../queue/claim.js'
import { columnValue } from '../../schema/row.js'

/** Fetches from the beginning may take this share of the time, but one in so many milliseconds there is. */
const shareOfWholeFetches = 1 / 10
const longestWithoutWhole = 5_000

/**
 * With so many rows claimed it is kept when nothing more is due: for so many milliseconds, in which autovacuum comes, and
 * then while a fetch from the beginning takes so many milliseconds longer than a question from the cursor.
 */
const worthKeeping = 10_000
const untilVacuum = 90_000
const isSlow = 10

/** The most levels of priority that it knows: half of those that a fetch looks up one by one. */
const mostLevels = 50

/** Jobs that became due so many milliseconds before a fetch was sent may be committed later than it. */
const beforeFetch = 1_000

/** The keys that are paused, of another identity when they have changed, and the database's clock at a monotonic time. */
interface PausedKeys {
  readonly keys: readonly unknown[]
  clockAt(time: number): Date
}

const nothingPaused: PausedKeys = { keys: [], clockAt: () => new Date(0) }

/** How a fetch went. */
export interface Look {
  /** It began at the beginning. */
  readonly isWhole: boolean
  /** It brought as many jobs as it was to. */
  readonly isFull: boolean
  /** Milliseconds. */
  readonly took: number
}

/**
 * Up to where (`run_at`, at each level of priority) a worker has claimed all that was due. What was claimed leaves dead
 * index entries until vacuum has come, and a fetch from the beginning reads them all: a drain gets slower and slower, the
 * more so where an old transaction keeps vacuum away. One from the cursor does not.
 *
 * What became due before it meanwhile (a late commit, a retry, a row that was locked) is found by a fetch from the
 * beginning: after some milliseconds where those are quick, after five seconds at the latest. A job of a higher
 * priority that is due now is behind its level's cursor, and so found at once.
 *
 * Jobs of paused keys stay where they are, due, and a fetch from the beginning reads them all. So while keys are paused the cursor is kept,
 * and after a fetch that brought all there was it is where that began: what is before is claimed or paused.
 */
export class BacklogCursor {
  readonly #paused: PausedKeys
  /** Those that the last fetches passed over, and since when. */
  #keys: readonly unknown[]
  #keysAt = Number.NEGATIVE_INFINITY
  /** Up to where at levels from which nothing was claimed. */
  #others = '-infinity'
  #runAt: Date | undefined
  /** By level, as texts. */
  readonly #levels = new Map<string, Date>()
  /** Rows claimed since it began: about as many dead entries are before it. */
  #claimed = 0
  #isFull = false
  /** When (monotonic milliseconds) the last fetch came back that was full. */
  #fullAt = 0
  /** Since the last fetch from the beginning one was from the cursor: it may have missed what is before it. */
  isOwed = false
  /** When (monotonic milliseconds) the last fetch from the beginning ended, and how long it took. */
  #wholeAt = 0
  #took = 0

  constructor(paused: PausedKeys = nothingPaused) {
    this.#paused = paused
    this.#keys = paused.keys
  }

  /** From where the next fetch is to read on; undefined: from the beginning. */
  get since(): Since | undefined {
    this.#heedKeys()
    if (this.#runAt === undefined || this.wait === 0) return undefined
    const times = [...this.#levels.values()].map((time) => time.toISOString())
    return { runAt: this.#runAt, levels: `{${[...this.#levels.keys()]}}`, times: `{${times}}`, others: this.#others }
  }

  /** No job is due before, so that a question for the next one may begin there; undefined: at the beginning. */
  get horizon(): Date | undefined {
    this.#heedKeys()
    const isAmongLevels = this.#isFull && this.#levels.size > 0 // lower ones were not looked at
    return isAmongLevels || this.wait === 0 ? undefined : this.#runAt
  }

  /** Milliseconds until a fetch has to begin at the beginning. */
  get wait(): number {
    if (this.#runAt === undefined) return Number.POSITIVE_INFINITY
    const wanted = this.isOwed ? this.#took / shareOfWholeFetches : longestWithoutWhole
    return Math.max(0, this.#wholeAt + Math.min(wanted, longestWithoutWhole) - performance.now())
  }

  /** After a fetch whose rows are in turn: those of one priority by `run_at`. */
  advance(rows: readonly object[], { isWhole, isFull, took }: Look): void {
    this.#heedKeys()
    const sent = performance.now() - took
    if (sent < this.#keysAt) return // it passed over other keys
    if (isWhole) [this.#wholeAt, this.#took] = [performance.now(), took]
    this.#isFull = isFull
    if (isFull) this.#fullAt = performance.now()
    this.#claimed += rows.length
    for (const row of lastOfLevels(rows)) this.#pass(row)
    if (!isFull) this.#cameToEnd(sent)
    this.isOwed = !isWhole && this.#runAt !== undefined
  }

  /** A question from the cursor took so many milliseconds, just after a fetch from the beginning that found nothing more. */
  compare(took: number): void {
    const isOld = performance.now() > this.#fullAt + untilVacuum && this.#keys.length === 0
    if (isOld && !this.isOwed && this.#took < took + isSlow) this.#forget()
  }

  /** Before a fetch that was sent then nothing is due but what is paused. */
  #cameToEnd(sent: number): void {
    if (this.#keys.length > 0) {
      const passed = this.#paused.clockAt(sent - beforeFetch)
      if (this.#runAt === undefined || this.#runAt < passed) this.#runAt = passed
      this.#others = passed.toISOString()
      for (const [level, time] of this.#levels) if (time < passed) this.#levels.set(level, passed)
    } else if (this.#claimed < worthKeeping) this.#forget()
  }

  /** Where others are paused than before, what is before the cursor may be due. */
  #heedKeys(): void {
    if (this.#paused.keys === this.#keys) return
    this.#keys = this.#paused.keys
    this.#keysAt = performance.now()
    this.#forget()
  }

  #pass(row: object): void {
    const runAt = columnValue(row, 'run_at')
    // Of a driver with types of its own nothing is known; before the epoch ISO 8601 is not what Postgres reads.
    if (!(runAt instanceof Date && runAt.getTime() >= 0)) {
      this.#forget()
      return
    }
    if (this.#runAt === undefined || this.#runAt < runAt) this.#runAt = runAt
    const level = String(levelOf(row))
    if (!/^-?\d+$/.test(level)) return
    this.#levels.delete(level) // to the end
    this.#levels.set(level, runAt)
    const [oldest] = this.#levels.keys()
    if (this.#levels.size > mostLevels && oldest !== undefined) this.#levels.delete(oldest)
  }

  #forget(): void {
    this.#runAt = undefined
    this.#levels.clear()
    this.#others = '-infinity'
    this.#claimed = 0
  }
}

function levelOf(row: object): unknown {
  return columnValue(row, 'priority')
}

/** Of rows in turn: within a level that is the order of `run_at`, also where levels are mixed, as jobs gain some while they wait. */
function lastOfLevels(rows: readonly object[]): Iterable<object> {
  if (levelOf(rows[0] ?? {}) === undefined) return rows.slice(-1)
  const last = new Map<unknown, object>()
  for (const row of rows) last.set(levelOf(row), row)
  return last.values()
}
