import { driverFault } from '../pg/driver-fault.js'
import { codeOf } from '../pg/error-class.js'

/** The first pause after an error, and the longest; each is twice the one before, give or take a quarter. */
const shortest = 50
const longest = 5_000

/** A server that is away may be back at any moment, and to ask one that is not there costs nobody anything. */
const longestWhileAway = 400

/** The wait between two tries of what failed; it grows, and can be cut short. */
export class Pause {
  #next = shortest
  /** When (monotonic milliseconds) the last wait ended, or it went well: a try that took long since then was wait enough. */
  #since = 0
  /** Ends a wait that is under way. */
  end: () => void = () => {}

  /** Waits, longer each time; the error is why, where there is one. */
  longer(error?: unknown): Promise<void> {
    const wait = this.next(error)
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, wait)
      this.end = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  /** Milliseconds of the next wait, for those who wait otherwise. */
  next(error?: unknown): number {
    const now = performance.now()
    const wait = Math.max(0, this.#next * (0.75 + Math.random() / 2) - Math.max(0, now - this.#since))
    this.#since = now + wait
    this.#next = Math.min(isAway(error) ? longestWhileAway : longest, this.#next * 2)
    return wait
  }

  /** It went well: the next wait is short again. */
  reset(): void {
    this.#next = shortest
    this.#since = performance.now()
  }
}

/**
 * The server is down, stopping or starting, or a standby that is about to be promoted; or it did not answer in time, which
 * was wait enough. A transaction that gave way to another (40001, 40P01) may succeed at once.
 */
function isAway(error: unknown): boolean {
  return away.test(codeOf(error)) || driverFault(error) !== undefined
}

const away = /^(?:ECONNREFUSED|ECONNRESET|EPIPE|ENOENT|DEADLINE|NO_CONNECTION|25006|40001|40P01|57P0[123])$/
