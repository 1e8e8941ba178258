import { concernsAll, sqlState } from '../pg/error-class.js'
import type { ScheduleKey } from '../schedule/schedules-table.js'

/** How long (milliseconds) a schedule that could not be fired is left alone: twice as long each time, up to so long. */
const shortest = 10_000
const longest = 600_000

/** Whether nothing can be fired, whatever schedule it is: an error of the connection, the server or a snapshot. */
export function isOfAll(error: unknown): boolean {
  const state = sqlState(error)
  return state === undefined ? concernsAll(error) : /^(?:08|25006|40|53|57P)/.test(state)
}

interface Failed {
  readonly key: ScheduleKey
  /** Monotonic milliseconds. */
  readonly until: number
  readonly pause: number
}

/** Schedules that could not be fired: they are left alone for a while, and hold up no other. */
export class FailedSchedules {
  readonly #failed = new Map<string, Failed>()

  /** @returns milliseconds until it is tried again */
  add(key: ScheduleKey): number {
    const before = this.#failed.get(nameOf(key))
    const pause = before === undefined ? shortest : Math.min(longest, before.pause * 2)
    this.#failed.set(nameOf(key), { key, pause, until: performance.now() + pause })
    return pause
  }

  /** It was fired. */
  remove(key: ScheduleKey): void {
    this.#failed.delete(nameOf(key))
  }

  get leftAlone(): ScheduleKey[] {
    return this.#waiting.map(({ key }) => key)
  }

  /** Milliseconds until one of them is tried again. */
  get wait(): number {
    return Math.min(...this.#waiting.map(({ until }) => until - performance.now()))
  }

  get #waiting(): Failed[] {
    return [...this.#failed.values()].filter(({ until }) => until > performance.now())
  }
}

const nameOf = ({ of, name }: ScheduleKey): string => JSON.stringify([of.schema, of.name, name])
