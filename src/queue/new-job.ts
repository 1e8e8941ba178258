import { queueManagedColumns } from '../schema/columns.js'
import { camelCase } from '../schema/row.js'

/** Values that no job can be made of. */
export class NewJobError extends TypeError {
  override readonly name = 'NewJobError'
  readonly code = 'INVALID_NEW_JOB'
}

const managed = new Set(queueManagedColumns.flatMap((name): string[] => [name, camelCase(name)]))

/**
 * Refuses, before anything is sent, what the compiler refuses (for callers without one) and what Postgres would
 * refuse or change silently.
 * @throws NewJobError naming the column and the remedy
 */
export function checkNewJob(values: object, table: string, delayed: boolean): void {
  for (const [name, value] of Object.entries(values)) {
    if (value === undefined) continue
    if (managed.has(name)) {
      throw new NewJobError(`${table}.${name} is written by the queue alone: leave it out of enqueue()`)
    }
    if (delayed && (name === 'run_at' || name === 'runAt')) {
      throw new NewJobError(`${table}: give either ${name} or the option delay, not both`)
    }
    if (typeof value === 'string') checkText(value, `${table}.${name}`)
  }
}

function checkText(text: string, column: string): void {
  if (text.includes('\0')) {
    throw new NewJobError(
      `${column}: the text holds a NUL character, which Postgres can't store: remove it, or use a bytea column`,
    )
  }
  if (!text.isWellFormed()) {
    throw new NewJobError(
      `${column}: the text holds half of a surrogate pair, which would be stored as U+FFFD: mend it (toWellFormed())`,
    )
  }
}
