import type { JobColumns, JobId } from './columns.js'
import { interruptionsAt, interruptionsOf } from './lease-token.js'
import { hiddenKey, hiddenMark, hiddenValue } from './own-part.js'

/** A row as a user's plugins and driver settings leave it. */
export type Row = object

/** A column's name as CamelCasePlugin shows it; made once, as each fetched row is asked for columns by both. */
export function camelCase(name: string): string {
  const known = camelCased.get(name) ?? name.replaceAll(/_(.)/g, (_, letter: string) => letter.toUpperCase())
  camelCased.set(name, known)
  return known
}

const camelCased = new Map<string, string>()

/**
 * The value of a job column in a user's row: hidden on it, under its own name or, with CamelCasePlugin, in camel case. Only what
 * is the row's own counts: a driver or plugin that assigns makes a jsonb column called `__proto__` the row's prototype.
 */
export function columnValue(row: Row, name: keyof JobColumns & string): unknown {
  return hiddenValue(row, name) ?? shownValue(row, name)
}

/** The same of a row on which nothing is hidden. */
export function shownValue(row: Row, name: keyof JobColumns & string): unknown {
  if (Object.hasOwn(row, name)) return Reflect.get(row, name)
  const key = camelCase(name)
  return Object.hasOwn(row, key) ? Reflect.get(row, key) : undefined
}

/** Whether a user's row has a job column. */
export function hasColumn(row: Row, name: keyof JobColumns & string): boolean {
  return Object.hasOwn(row, name) || Object.hasOwn(row, camelCase(name))
}

/** The id of a user's row. */
export function idOf(row: Row): JobId {
  return columnValue(row, 'id') as JobId // every job table has one of these types, checked at start
}

/** The number of the attempt that a fetched row is. */
export function attemptOf(row: Row): number {
  return Number(columnValue(row, 'attempts_count'))
}

/** How often in a row a fetched row's job was interrupted before this claim. */
export function interruptionsIn(row: Row): number {
  const mark = hiddenMark(row)
  return mark === undefined ? interruptionsOf(columnValue(row, 'locked_by')) : interruptionsAt(mark)
}

/**
 * The lease that a fetched row is: what the verbs that settle, renew and release it take.
 * @example await settle(db, 'jobs', [{ ...leaseOf(job), kind: 'succeeded' }], { worker, key })
 */
export function leaseOf(row: Row): { readonly id: JobId; readonly attempt: number; readonly key: string | undefined } {
  return { id: idOf(row), attempt: attemptOf(row), key: hiddenKey(row) }
}
