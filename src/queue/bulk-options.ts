import { shown } from '../schema/shown.js'
import type { ChangedJobs } from './changed-jobs.js'

/** An option of a bulk verb that is unknown or invalid, or two that can't go together; the message has the reason. */
export class BulkOptionError extends TypeError {
  override readonly name = 'BulkOptionError'
  readonly code = 'INVALID_BULK_OPTION'
}

/** How far a bulk verb has come. */
export interface BulkProgress {
  /** Jobs that were changed so far. */
  readonly changed: number
  /** Jobs that were refused so far. */
  readonly refused: number
  /** Jobs that were found when it began, or ids that were given; some may match no more when their chunk comes. */
  readonly total: number
}

/** What `retryJobs`, `cancelJobs`, `deleteJobs` and `rescheduleJobs` take alike. */
export interface BulkOptions<DryRun extends boolean = false> {
  /** Only counts the jobs that would be changed, exactly, in one statement that writes nothing. Default false. */
  readonly dryRun?: DryRun | undefined
  /**
   * Is called after each chunk of at most a thousand jobs. What it returns is awaited, so a promise slows the run down; what it
   * throws ends nothing, and is a warning of the process.
   */
  readonly onProgress?: InEarnest<DryRun, (progress: BulkProgress) => unknown, 'onProgress'> | undefined
  /** Aborted, it stops the run before its next chunk: what is done stays done and is returned. */
  readonly signal?: InEarnest<DryRun, AbortSignal, 'signal'> | undefined
}

/** The option, or why it is refused. Where only the run decides (`boolean`) it is refused as well. */
type InEarnest<DryRun extends boolean, Option, Name extends string> = [DryRun] extends [false]
  ? Option
  : `a dry run has no chunks: leave ${Name} out`

/** The jobs that were changed; of a dry run the number of those that would be. */
export type BulkResult<DryRun extends boolean> = DryRun extends true ? number : ChangedJobs

/** The options as the caller may have given them, past the compiler too. */
export type GivenOptions = Readonly<Record<string, unknown>>

/** Refuses what no bulk verb can work with. @throws BulkOptionError */
export function checkBulkOptions(options: object, others: readonly string[]): void {
  const { dryRun, onProgress, signal } = options as GivenOptions // read as what it may be
  const known = ['dryRun', 'onProgress', 'signal', ...others]
  const unknown = Object.keys(options).filter((name) => !known.includes(name))
  if (unknown.length > 0) {
    throw new BulkOptionError(`${unknown.join(', ')}: no such option; there are ${known.join(', ')}`)
  }
  if (dryRun !== undefined && typeof dryRun !== 'boolean') {
    throw new BulkOptionError(`dryRun: ${shown(dryRun)} is invalid; give true or false`)
  }
  if (onProgress !== undefined && typeof onProgress !== 'function') {
    throw new BulkOptionError(`onProgress: ${shown(onProgress)} is invalid; give a function`)
  }
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw new BulkOptionError(`signal: ${shown(signal)} is invalid; give an AbortSignal`)
  }
  const needless = Object.entries({ onProgress, signal }).find(([, value]) => dryRun === true && value !== undefined)
  if (needless) throw new BulkOptionError(`dryRun: a dry run has no chunks: leave ${needless[0]} out`)
}
