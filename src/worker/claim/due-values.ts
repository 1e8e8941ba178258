import { dueValues, mostValues } from '../../queue/values.js'
import type { Jobs } from '../../schema/job-database.js'
import { ask } from '../ask.js'
import type { WorkerScope } from '../scope.js'

/**
 * Which values have due jobs is asked of all nodes, and reads all that is due: while some are known, once in so long (milliseconds), and so often
 * that it takes a fiftieth of the time.
 */
const knownFor = 1_000
const shareOfLooks = 1 / 50

/** The same while those that are known are full: a look may find others, and may take a tenth of the time. */
const shareWhileFull = 1 / 10

/** Values whose node does not answer are left alone for so long (milliseconds). */
const awayFor = 5_000

/** From one of them on, around. */
function turned(values: readonly string[]): string[] {
  const start = Math.floor(Math.random() * values.length)
  return [...values.slice(start), ...values.slice(0, start)]
}

/** The values, of the column by which a table is distributed, that have due jobs as far as is known, each in its turn. */
export class DueValues {
  readonly #scope: WorkerScope
  readonly #isLeftOut: (value: string) => boolean
  /** The next one first; and all that have had some. */
  #next: string[] = []
  #seen = new Set<string>()
  /** Those whose jobs may not begin before others end. */
  #full = new Set<string>()
  /** Until when (monotonic milliseconds) values are left alone, those that are known are enough, and none is looked for beside those that are full. */
  readonly #away = new Map<string, number>()
  #knownUntil = Number.NEGATIVE_INFINITY
  #fullUntil = Number.NEGATIVE_INFINITY
  #isSkipped = false

  /** @param isLeftOut whether a value is not to be asked now, though it has due jobs */
  constructor(scope: WorkerScope, isLeftOut: (value: string) => boolean) {
    this.#scope = scope
    this.#isLeftOut = isLeftOut
  }

  get areLeft(): boolean {
    return this.#next.length > 0
  }

  /** Milliseconds until a look that was left out is due; Infinity: none was. */
  get wait(): number {
    return this.#isSkipped ? Math.max(0, this.#fullUntil - performance.now()) : Number.POSITIVE_INFINITY
  }

  take(count: number): string[] {
    return this.#next.splice(0, count)
  }

  /** It may have more: after all others. */
  more(value: string): void {
    this.#next.push(value)
  }

  /** It is the next one again. */
  again(value: string): void {
    this.#next.unshift(value)
  }

  /** Its jobs have to wait for others. */
  full(value: string): void {
    this.#full.add(value)
  }

  /** Its node does not answer. */
  away(value: string): void {
    this.#away.set(value, performance.now() + awayFor)
  }

  /** Looks for values where that is worth it. */
  async refresh(): Promise<void> {
    const now = performance.now()
    this.#isSkipped = false
    if (this.areLeft && now <= this.#knownUntil) return
    if (!this.areLeft && now < this.#fullUntil) this.#next = [...this.#full].filter((value) => this.#isLeft(value))
    this.#isSkipped = this.areLeft && now < this.#fullUntil
    if (!this.#isSkipped) await this.#look()
  }

  /**
   * Those that were not known are next, from one of them on, so that workers which ask at the same time are not in each other's way; then
   * the others as it was their turn.
   */
  async #look(): Promise<void> {
    const asked = performance.now()
    const found = new Set((await this.#due()).filter((value) => this.#isLeft(value)))
    const took = performance.now() - asked
    this.#knownUntil = asked + Math.max(knownFor, took / shareOfLooks)
    this.#fullUntil = asked + took / shareWhileFull
    const known = [...this.#next, ...this.#full].filter((value) => found.delete(value))
    this.#full.clear()
    this.#next = [...turned([...found]), ...known]
  }

  /** Of a node that is away nobody can tell; then all are tried that were seen before. */
  async #due(): Promise<readonly string[]> {
    const { claimedJobs, claim, settings, report } = this.#scope
    try {
      const look = (db: Jobs['db']) => dueValues({ ...claimedJobs, db }, claim)
      const values = await ask(claimedJobs.db, settings.lease / 6, 'which values have due jobs', look)
      if (this.#seen.size > mostValues) this.#seen = new Set()
      for (const value of values) this.#seen.add(value)
      return values
    } catch (error) {
      if (this.#seen.size === 0) throw error
      report(error, 'asking all nodes which values have due jobs')
      return [...this.#seen]
    }
  }

  #isLeft(value: string): boolean {
    const until = this.#away.get(value) ?? 0
    if (until < performance.now()) this.#away.delete(value)
    return !this.#away.has(value) && !this.#isLeftOut(value)
  }
}
