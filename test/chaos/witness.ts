import type { Kysely } from 'kysely'
import type { Silence, WitnessDatabase } from './tables.ts'

/** Milliseconds of the epoch, as precise as the monotonic clock. */
export function epoch(): number {
  return performance.timeOrigin + performance.now()
}

/** What one process tells of itself, over a connection that no fault reaches. */
export class Witness {
  readonly #db: Kysely<WitnessDatabase>
  readonly #writing = new Set<Promise<unknown>>()

  constructor(db: Kysely<WitnessDatabase>) {
    this.#db = db
  }

  async hasWorker(worker: string): Promise<void> {
    await this.#db.insertInto('workers').values({ worker, pid: process.pid }).execute()
  }

  async silent(silence: Silence): Promise<void> {
    await this.#db.insertInto('silences').values(silence).execute()
  }

  /** Runs a handler and tells how it went, before the worker learns it. */
  async watch<Value>(job: string, attempt: number, signal: AbortSignal, handler: () => Promise<Value>): Promise<Value> {
    const deed = { job, attempt, pid: process.pid, begun: epoch() }
    const { id } = await this.#db.insertInto('deeds').values(deed).returning('id').executeTakeFirstOrThrow()
    const tell = (facts: object) => this.#db.updateTable('deeds').set(facts).where('id', '=', id).execute()
    const aborted = () => this.#later(tell({ aborted: epoch(), reason: signal.reason?.code ?? String(signal.reason) }))
    if (signal.aborted) aborted()
    else signal.addEventListener('abort', aborted)
    try {
      const value = await handler()
      await tell({ ended: epoch(), how: 'returned' })
      return value
    } catch (error) {
      await tell({ ended: epoch(), how: 'threw' })
      throw error
    } finally {
      signal.removeEventListener('abort', aborted)
    }
  }

  /** Resolves when all that was told is written. */
  async told(): Promise<void> {
    while (this.#writing.size > 0) await Promise.all(this.#writing)
  }

  #later(writing: Promise<unknown>): void {
    const written = writing.finally(() => this.#writing.delete(written))
    this.#writing.add(written)
  }
}
