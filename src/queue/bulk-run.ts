import type { JobId } from '../schema/columns.js'
import { shown } from '../schema/shown.js'
import type { BulkOptions } from './bulk-options.js'
import type { ChangedJobs, RefusedJob } from './changed-jobs.js'

/** What a run of a bulk verb has done so far, and whether it goes on. */
export class BulkRun {
  readonly #options: BulkOptions
  readonly #changed: JobId[] = []
  readonly #refused: RefusedJob[] = []
  /** By the write that it is of. */
  readonly #expected = new Map<object, number>()

  constructor(options: BulkOptions = {}) {
    this.#options = options
  }

  /** Whether its caller has it stop. */
  get isStopped(): boolean {
    return this.#options.signal?.aborted === true
  }

  /** Whether anybody is told of its progress. */
  get isWatched(): boolean {
    return this.#options.onProgress !== undefined
  }

  get changed(): readonly JobId[] {
    return this.#changed
  }

  get refused(): readonly RefusedJob[] {
    return this.#refused
  }

  get result(): ChangedJobs {
    const refused = this.#refused
    return Object.defineProperty(this.#changed, 'refused', {
      value: refused,
      enumerable: refused.length > 0,
    }) as ChangedJobs // just given
  }

  /** So many jobs are to be written to by something. What is said last of it counts. */
  expect(by: object, jobs: number): void {
    this.#expected.set(by, jobs)
  }

  /** These were. One by one: a call takes only so many arguments. */
  add(changed: readonly JobId[], refused: readonly RefusedJob[] = []): void {
    for (const id of changed) this.#changed.push(id)
    for (const job of refused) this.#refused.push(job)
  }

  /** Tells how far it has come. Resolves when the caller's promise has, or the run is to stop. */
  async tell(): Promise<void> {
    const { onProgress, signal } = this.#options
    if (onProgress === undefined) return
    const [changed, refused] = [this.#changed.length, this.#refused.length]
    const total = [...this.#expected.values()].reduce((sum, jobs) => sum + jobs, 0)
    try {
      const told = onProgress({ changed, refused, total })
      await unlessAborted(told, signal)
    } catch (error) {
      const text = error instanceof Error ? error.message : shown(error)
      process.emitWarning(`onProgress threw, and the run goes on: ${text}`, 'BulkProgressWarning')
    }
  }
}

/** Resolves when what was returned has, but at once when the signal aborts. */
async function unlessAborted(told: unknown, signal: AbortSignal | undefined): Promise<void> {
  const { promise: isAborted, resolve } = Promise.withResolvers<void>()
  const stop = () => resolve()
  signal?.addEventListener('abort', stop)
  if (signal?.aborted) stop()
  await Promise.race([told, isAborted]).finally(() => signal?.removeEventListener('abort', stop))
}
