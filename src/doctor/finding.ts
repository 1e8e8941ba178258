import type { TableName } from '../schema/names.js'

/** `error`: jobs are lost, stuck or not begun. `warning`: they may come to be, or cost more than they must. `advice`: it could be better. */
export type Severity = 'error' | 'warning' | 'advice'

/** Everything that the doctor can find, and how bad it is. */
export const severities = {
  'old-server': 'error',
  standby: 'error',
  'read-only': 'error',
  'no-autovacuum': 'error',
  'clock-differs': 'warning',
  'connections-near-limit': 'warning',
  'notify-queue-filling': 'warning',
  pooler: 'advice',
  'statement-pooler': 'error',
  'cannot-listen': 'warning',
  deaf: 'warning',
  'long-transaction': 'warning',
  'idle-transaction': 'warning',
  'prepared-transaction': 'warning',
  'slot-holds-back': 'warning',
  'standby-holds-back': 'warning',
  'no-job-table': 'warning',
  'not-a-job-table': 'error',
  'nullable-column': 'warning',
  'no-cancelled-status': 'advice',
  'missing-index': 'warning',
  'wrong-index': 'warning',
  'broken-index': 'warning',
  'broken-unique-index': 'error',
  'costly-index': 'advice',
  'reference-table': 'error',
  'distributed-by-boolean': 'error',
  'no-triggers': 'advice',
  'missing-trigger': 'warning',
  'disabled-trigger': 'warning',
  'old-trigger': 'advice',
  'autovacuum-off': 'warning',
  'storage-settings': 'advice',
  'dead-rows': 'warning',
  bloat: 'advice',
  'no-privilege': 'warning',
  'few-privileges': 'advice',
  'row-level-security': 'advice',
  'unserved-jobs': 'error',
  'expired-leases': 'error',
  'running-unlocked': 'warning',
  'pending-locked': 'warning',
  'never-due': 'warning',
  'attempts-used-up': 'advice',
  'unknown-status': 'error',
  'leases-differ': 'advice',
  'archive-unfit': 'error',
  'archive-partitions': 'warning',
  'archive-misplaced': 'warning',
  'archive-not-kept': 'advice',
  'side-table-unfit': 'warning',
  'types-out-of-date': 'warning',
  'not-examined': 'advice',
} as const satisfies Record<string, Severity>

export type FindingCode = keyof typeof severities

/** Something that is not as it should be. */
export interface Finding extends Told {
  /** The same from version to version. */
  readonly code: FindingCode
  readonly severity: Severity
  /** The job table that it is about; left out: the server, the database or this role. */
  readonly table?: TableName | undefined
}

interface Told {
  /** What is the case, with its figures; a sentence, as the next two. */
  readonly what: string
  /** Why it matters. */
  readonly why: string
  /** What mends it. */
  readonly remedy: string
  /** Statements that mend it, each without its semicolon. Those with `concurrently`, and VACUUM, run outside of a transaction only. */
  readonly sql?: readonly string[] | undefined
  /** The call for a migration that mends it, of kysely-jobs/migrate. */
  readonly migration?: string | undefined
}

/** A finding of this code. */
export function finding(code: FindingCode, told: Told, table?: TableName): Finding {
  return { code, severity: severities[code], ...(table && { table }), ...told }
}

/** One check: what it finds in facts that were read before. */
export type Check<Facts> = (facts: Facts) => Finding | readonly Finding[] | undefined

/** What all of them find, in their order. */
export function findings<Facts>(checks: readonly Check<Facts>[], facts: Facts): Finding[] {
  return checks.flatMap((check) => check(facts) ?? [])
}
