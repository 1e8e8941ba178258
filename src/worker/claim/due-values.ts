import { dueValues, mostValues } from '../../queue/values.js'
import type { Jobs } from '../../schema/job-database.js'
import { ask } from '../ask.js'
import type { WorkerScope } from '../scope.js'
import type { KeysOfValues } from './keys-of-values.js'

/**
 * Which values have due jobs is asked of all nodes, and reads all that is due: while some are known once in so long (milliseconds), and so often
 * that it takes a tenth of the time; but no tenant that has just come waits longer than that for others.
 */
const knownFor = 1_000
const longestKnown = 5_000
const shareOfLooks = 1 / 10

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
  readonly #keys: KeysOfValues | undefined
  /** The next one first; and all that have had some. */
  #next: string[] = []
  #seen = new Set<string>()
  /** Until when (monotonic milliseconds) values are left alone; those that are known are enough; and none is looked for, though none is known. */
  readonly #away = new Map<string, number>()
  #knownUntil = Number.NEGATIVE_INFINITY
  #lookFrom = Number.NEGATIVE_INFINITY
  #isSkipped = false

  /** @param keys what is limited of values; undefined: nothing */
  constructor(scope: WorkerScope, keys: KeysOfValues | undefined) {
    this.#scope = scope
    this.#keys = keys
  }

  get areLeft(): boolean {
    return this.#next.length > 0
  }

  /** Milliseconds until a look that was left out is due; Infinity: none was. */
  get wait(): number {
    return this.#isSkipped ? Math.max(0, this.#lookFrom - performance.now()) : Number.POSITIVE_INFINITY
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

  /** Its node does not answer. */
  away(value: string): void {
    this.#away.set(value, performance.now() + awayFor)
  }

  /** Looks for values where that is worth it. Those of which jobs have ended here have room again. */
  async refresh(): Promise<void> {
    const { freedValues } = this.#scope
    const freed = [...(freedValues ?? [])].filter((value) => this.#isLeft(value) && !this.#next.includes(value))
    freedValues?.clear()
    if (this.#keys !== undefined) this.#next.unshift(...freed)
    const now = performance.now()
    this.#isSkipped = this.areLeft ? now <= this.#knownUntil : now < this.#lookFrom
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
    const between = Math.min(longestKnown, took / shareOfLooks)
    this.#knownUntil = asked + Math.max(knownFor, between)
    if (this.#keys !== undefined) this.#lookFrom = asked + between
    const known = this.#next.filter((value) => found.delete(value))
    this.#next = [...turned([...found]), ...known]
  }

  /** Of a node that is away nobody can tell; then all are tried that were seen before. */
  async #due(): Promise<readonly string[]> {
    const { claimedJobs, claim, settings, report } = this.#scope
    try {
      const look = (db: Jobs['db']) => dueValues({ ...claimedJobs, db }, claim, this.#keys?.room)
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
    return !this.#away.has(value) && !this.#keys?.isFull(value)
  }
}
