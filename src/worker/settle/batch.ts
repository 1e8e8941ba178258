import type { LeasedOutcome } from '../../queue/outcome.js'
import type { Attempt } from '../run/attempt.js'

/** An outcome on its way to the database. */
export type Entry = LeasedOutcome & {
  readonly of: Attempt
  /** When (monotonic milliseconds) the table first refused it. */
  readonly refusedAt?: number
  /** How often its row was locked by somebody. */
  readonly locked?: number
}

/** A lease may be renewed while an outcome waits, so this many rows are a statement of bounded size. */
const mostEntries = 1_000

/** So are results of so many characters, or a single one that is longer. */
const mostCharacters = 2 ** 24

/** Takes what goes into one statement off the beginning. */
export function takeBatch(pending: Entry[]): Entry[] {
  let [count, characters] = [0, 0]
  for (const entry of pending) {
    characters += (entry.kind === 'succeeded' && entry.json?.length) || 0
    if (count === mostEntries || (count > 0 && characters > mostCharacters)) break
    count += 1
  }
  return pending.splice(0, count)
}
