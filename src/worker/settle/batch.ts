import { byValue, valuesAtOnce } from '../../queue/by-value.js'
import { inGroups, type LeasedOutcome, type Outcome } from '../../queue/outcome.js'
import type { Jobs } from '../../schema/job-database.js'
import type { Attempt } from '../run/attempt.js'

/** An outcome on its way to the database. */
export type Entry = LeasedOutcome & {
  readonly of: Attempt
  /** When (monotonic milliseconds) the table first refused it. */
  readonly refusedAt?: number
  /** How often its row was locked by somebody. */
  readonly locked?: number
}

export function entryOf(attempt: Attempt, outcome: Outcome): Entry {
  return { ...outcome, id: attempt.id, attempt: attempt.attempt, key: attempt.key, of: attempt }
}

/** A lease may be renewed while an outcome waits, so this many rows are a statement of bounded size. */
const mostEntries = 1_000

/** So are results of so many characters. */
const mostCharacters = 2 ** 24

/** A result of so many characters may be why there was no answer in time: it goes alone, and holds up no other. */
const manyCharacters = 2 ** 20

/** Takes what goes into one statement off the beginning. */
export function takeBatch(pending: Entry[]): Entry[] {
  let [count, characters] = [0, 0]
  for (const entry of pending) {
    characters += charactersOf(entry)
    if (count === mostEntries || (count > 0 && (isHeavy(entry) || characters > mostCharacters))) break
    count += 1
    if (isHeavy(entry)) break
  }
  return pending.splice(0, count)
}

export function isHeavy(entry: Entry): boolean {
  return charactersOf(entry) > manyCharacters
}

function charactersOf(entry: Entry): number {
  return (entry.kind === 'succeeded' && entry.json?.length) || 0
}

/**
 * What one statement can write: entries of one kind and attempt; of a distributed table also of one value, so that what one node says
 * concerns no other. Those that may be written at once are together.
 */
export function groupsOf(jobs: Jobs, batch: readonly Entry[]): (readonly (readonly Entry[])[])[] {
  const groups = inGroups(batch).flatMap((group) => byValue(jobs, group).map(([, some]) => some))
  const atOnce = jobs.distributedBy === undefined ? 1 : valuesAtOnce
  return Array.from({ length: Math.ceil(groups.length / atOnce) }, (_, n) => groups.slice(n * atOnce, (n + 1) * atOnce))
}
