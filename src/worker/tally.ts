import { HistogramCount } from '../records/histogram.js'
import { type Counted, noStats, type WorkerStats } from '../records/stats.js'
import type { WorkerEvent } from './events.js'

/** What is read of the payload of an event that is counted. */
interface Told {
  readonly jobs?: readonly object[]
  readonly wait?: number | undefined
  readonly duration?: number | undefined
}

/** Counts what a worker tells, and successes, of which it tells only where somebody listens. */
export class Tally {
  readonly #counts: Record<Counted, number>
  readonly #wait = new HistogramCount()
  readonly #duration = new HistogramCount()

  constructor() {
    const { wait, duration, ...counts } = noStats
    this.#counts = counts
  }

  /** An event is told. */
  told(event: WorkerEvent, payload: object): void {
    if (!this.#isCounted(event)) return
    const { jobs, wait, duration } = payload as Told // as far as the event has them
    if (event === 'succeeded') this.succeeded(wait, duration)
    else {
      this.#counts[event] += jobs?.length ?? 1
      this.#ran(wait, duration)
    }
  }

  /** An attempt succeeded, whether or not that is told. */
  succeeded(wait: number | undefined, duration: number | undefined): void {
    this.#counts.succeeded += 1
    this.#ran(wait, duration)
  }

  /** What was counted until now. */
  get stats(): WorkerStats {
    return { ...this.#counts, wait: this.#wait.histogram, duration: this.#duration.histogram }
  }

  #isCounted(event: WorkerEvent): event is Counted {
    return event in this.#counts
  }

  #ran(wait: number | undefined, duration: number | undefined): void {
    if (wait !== undefined) this.#wait.add(wait)
    if (duration !== undefined) this.#duration.add(duration)
  }
}
