import { columnValue } from '../../schema/row.js'

/** A fetch from the beginning may take this share of the time: then one from the cursor is as good. */
const shareOfWholeFetches = 1 / 10

/**
 * Up to where (`run_at`) a worker has claimed all that was due. While an old transaction keeps vacuum away, a fetch from
 * the beginning reads the dead index entries of all that was claimed before, and a drain gets slower and slower; one from
 * the cursor does not. What became due before it meanwhile (a late commit, a retry, a row that was locked) is found by
 * a fetch from the beginning, now and then: seldom where those are slow, after some milliseconds where they are quick.
 */
export class BacklogCursor {
  #dueSince: Date | undefined
  /** When (monotonic milliseconds) the next fetch is to begin from the beginning. */
  #until = 0

  /** From when on the next fetch looks for due jobs; undefined: from the beginning. */
  get dueSince(): Date | undefined {
    return performance.now() < this.#until ? this.#dueSince : undefined
  }

  /** After a fetch whose rows (earliest `run_at` first) were as many as asked for; it took so many milliseconds. */
  advance(rows: readonly object[], wasWhole: boolean, took: number): void {
    const runAt = columnValue(rows.at(-1) ?? {}, 'run_at')
    // of a driver with types of its own nothing is known
    this.#dueSince = runAt instanceof Date && Number.isFinite(runAt.getTime()) ? runAt : undefined
    if (wasWhole) this.#until = performance.now() + took / shareOfWholeFetches
  }

  /** The next fetch is from the beginning. */
  forget(): void {
    this.#until = 0
  }
}
