import type { FindingCode } from '../doctor/finding.js'
import type { ErrorGroup } from '../observe/error-groups.js'

/** What is not as it should be, and the remedy. */
export interface Warning {
  /** `info` is advice: all may be well. */
  readonly tone: 'info' | 'warn' | 'bad'
  readonly what: string
  readonly why?: string | undefined
  readonly remedy: string
  /** Statements that mend it. */
  readonly sql?: readonly string[] | undefined
  /** A call for a migration that does. */
  readonly migration?: string | undefined
  /** What the doctor calls it. */
  readonly code?: FindingCode | undefined
  /** The page of the table that has more of it. */
  readonly page?: 'errors' | 'steering' | undefined
  /** The kind of the errors that it is about. */
  readonly fingerprint?: string | undefined
}

/** What was found, of tables by their names as they are listed. */
export interface Checked {
  readonly ofServer: readonly Warning[]
  readonly of: ReadonlyMap<string, CheckedTable>
}

export interface CheckedTable {
  readonly found: readonly Warning[]
  /** What its jobs fail by; none where that is hidden. */
  readonly errors: readonly ErrorGroup[]
}
