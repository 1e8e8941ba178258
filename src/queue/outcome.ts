import type { Lease } from '../predicates/lease.js'
import type { Jobs } from '../schema/job-database.js'

/** How an attempt ended, and what is to be written of it. Durations in milliseconds. */
export type Outcome =
  /** A `result` that was made JSON before (`json`) is not looked at again: it may have changed since. */
  | { readonly kind: 'succeeded'; readonly result?: unknown; readonly json?: string | undefined }
  /** An attempt failed or timed out with attempts left; without a `delay` the settle's backoff decides. */
  | { readonly kind: 'retry'; readonly error: string; readonly delay?: number }
  | { readonly kind: 'failed'; readonly error: string }
  | { readonly kind: 'timed_out'; readonly error: string }
  /** Later, and the attempt does not count. */
  | { readonly kind: 'snoozed'; readonly delay: number }
  | { readonly kind: 'cancelled'; readonly reason: string }
  /** As if it had not been claimed: the attempt does not count, and the job stays due. */
  | { readonly kind: 'released' }

/** Whatever else goes with an outcome: done in the transaction that writes it, after it, and only where it was written. */
export type Effect = (trx: Jobs['db']) => Promise<void>

/** An outcome with the lease it is written under: the row's id, and `attempts_count` as the claim left it. */
export type LeasedOutcome = Outcome &
  Lease & {
    readonly effect?: Effect
    /** The row stays in the table, whatever becomes of others that ended so. */
    readonly keep?: boolean
  }

/** Entries that one statement can write: of one kind and one attempt number, which is nearly always all of them. */
export function inGroups<Entry extends { readonly attempt: number; readonly kind?: string; readonly keep?: boolean }>(
  entries: readonly Entry[],
): [Entry, ...Entry[]][] {
  const [first] = entries
  if (first === undefined) return []
  const alike = ({ kind, attempt, keep }: Entry) =>
    kind === first.kind && attempt === first.attempt && keep === first.keep
  const of = ({ kind, attempt, keep }: Entry) => `${kind} ${attempt} ${keep}`
  const groups = entries.every(alike) ? [entries] : [...Map.groupBy(entries, of).values()]
  return groups as [Entry, ...Entry[]][] // a group has what made it
}
