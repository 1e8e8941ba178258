import type { Silence } from '../tables.ts'
import { epoch } from '../witness.ts'

/** How often the event loop should come round, and how late it may be; milliseconds. */
const period = 10
const late = 40

/** Milliseconds, on average of the last second or so: of an event loop, or a server, that can't take more plays at once. */
const busyLoop = 20
const busyServer = 40

/** How much this process and its server have to do: leases of a second are lost where either is late. */
export class Load {
  readonly #standstills: Omit<Silence, 'pid'>[] = []
  #last = epoch()
  #loopDelay = 0
  #answerTime = 0
  readonly #timer = setInterval(() => this.#look(), period)

  #look(): void {
    const now = epoch()
    const delay = now - this.#last - period
    this.#loopDelay += (delay - this.#loopDelay) * Math.min(1, (delay + period) / 1_000)
    if (delay > late) this.#standstills.push({ since: this.#last, until: now })
    this.#last = now
  }

  /** The server took so many milliseconds for a small question. */
  answered(time: number): void {
    this.#answerTime += (time - this.#answerTime) / 50
  }

  /** What runs already is as much as can be done in time. */
  get isTooMuch(): boolean {
    return this.#loopDelay > busyLoop || this.#answerTime > busyServer
  }

  /** When this process could do nothing, so that a signal that was due came late: as silences of those who stand for processes. */
  silencesOf(pids: readonly number[]): Silence[] {
    return pids.flatMap((pid) => this.#standstills.map((time) => ({ pid, ...time })))
  }

  end(): void {
    clearInterval(this.#timer)
  }
}
