import type { JobId } from '../schema/columns.js'
import type { WrittenName } from '../schema/identify.js'
import { quotedName } from '../schema/names.js'
import type { Uniqueness } from './unique-options.js'

const list = (columns: readonly string[]): string => columns.map((name) => `'${name}'`).join(', ')

/** With `onConflict: 'error'`: a job stands for the same values. */
export class JobExistsError extends Error {
  override readonly name = 'JobExistsError'
  readonly code = 'JOB_EXISTS'
  /** The job that stands. */
  readonly id: JobId
  /** The columns by which it is the same. */
  readonly columns: readonly string[]

  constructor(table: string, id: JobId, { columns, within }: Pick<Uniqueness, 'columns' | 'within'>) {
    const until = within === undefined ? 'has not ended' : `has not ended, or was enqueued within ${within} ms`
    super(
      `${table}: job ${id} has the same ${list(columns)} and ${until}; to let it stand without an error, choose onConflict: 'ignore'`,
    )
    this.id = id
    this.columns = columns
  }
}

/** The database has no index that makes jobs unique by these columns; the message has the migration that makes it. */
export class NoUniqueIndexError extends Error {
  override readonly name = 'NoUniqueIndexError'
  readonly code = 'NO_UNIQUE_INDEX'

  constructor(table: string, written: WrittenName, { columns, onlyWaiting, within }: Uniqueness, cause: unknown) {
    const options = onlyWaiting ? ", { whileRunning: 'queue' }" : within === undefined ? '' : ', { within: true }'
    const names = list(columns)
    const other = onlyWaiting
      ? 'where these columns have the index over unfinished jobs'
      : "where these columns have the index for whileRunning: 'queue'"
    super(
      `The table ${quotedName(written)} has no valid index by which jobs are unique by ${names} in this way. A migration makes it: await createUniqueIndex(db, '${table}', [${names}]${options}); ${other}, call dropUniqueIndex(db, '${table}', [${names}]) before, as they have the one or the other`,
      { cause },
    )
  }
}

/** A job was neither inserted nor found: a policy or a trigger keeps it from the role that enqueues. */
export class HiddenJobError extends Error {
  override readonly name = 'HiddenJobError'
  readonly code = 'HIDDEN_JOB'

  constructor(table: string, { columns }: Uniqueness) {
    super(
      `${table}: a job was neither inserted nor found by its ${list(columns)}: a row-level policy hides the one that stands, or a trigger keeps rows from being inserted or changes these columns; let the role that enqueues see such jobs, and the trigger let them be`,
    )
  }
}
