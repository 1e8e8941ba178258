import {
  type InsertObject,
  InsertQueryNode,
  type OperationNode,
  PrimitiveValueListNode,
  ValueListNode,
  ValueNode,
  ValuesNode,
} from 'kysely'
import type { JobAlias, JobDatabase, Jobs } from '../schema/job-database.js'
import { ScheduleError } from './recurrence.js'

/** Values by the real names of their columns, as JSON. */
export type KeptValues = Readonly<Record<string, unknown>>

/**
 * Values of a new job as JSON that is inserted as they would be: by their columns' real names, after the user's plugins had
 * their say; what JSON can't say, as node-postgres sends it.
 * @returns undefined where they can't be kept: one is an expression, or an object of the driver's
 * @throws ScheduleError for a value that could not be inserted either
 */
export function keptValues({ db, name }: Jobs, values: object): KeptValues | undefined {
  const row = values as InsertObject<JobDatabase, JobAlias> // the door's types have checked it
  if (Object.values(values).every((value) => value === undefined)) return {}
  const { query } = db.insertInto(name).values(row).compile()
  if (!InsertQueryNode.is(query)) return undefined
  const list = query.values !== undefined && ValuesNode.is(query.values) ? query.values.values[0] : undefined
  const kept: Record<string, unknown> = {}
  for (const [place, { column }] of (query.columns ?? []).entries()) {
    const value = list && valueIn(list, place)
    if (value === undefined || isOfDriver(value.of)) return undefined
    kept[column.name] = valueAsKept(value.of, `${name}.${column.name}`)
  }
  return kept
}

/** A value of an inserted row, in a box; undefined where it is no value. */
function valueIn(list: OperationNode, place: number): { readonly of: unknown } | undefined {
  if (PrimitiveValueListNode.is(list)) return { of: list.values[place] }
  const node = ValueListNode.is(list) ? list.values[place] : undefined
  return node !== undefined && ValueNode.is(node) ? { of: node.value } : undefined
}

/** An object that tells the driver itself what it is sent as; also within an array. */
function isOfDriver(value: unknown): boolean {
  if (Array.isArray(value)) return value.some(isOfDriver)
  return typeof Reflect.get(Object(value), 'toPostgres') === 'function'
}

/** @throws ScheduleError naming the column */
function valueAsKept(value: unknown, column: string): unknown {
  try {
    const sent = asSent(value)
    JSON.stringify(sent)
    return sent
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new ScheduleError('INVALID_SCHEDULE', `values: ${column} can't be kept: ${why}`, cause)
  }
}

/** Of dates, bytes and numbers that JSON can't say the text that node-postgres sends; an array is one of Postgres, an object is json. */
function asSent(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(asSent)
  if (value instanceof Date) return localTime(value)
  if (ArrayBuffer.isView(value)) {
    const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength)
    return `\\x${bytes.toString('hex')}`
  }
  if (typeof value === 'bigint' || (typeof value === 'number' && !Number.isFinite(value))) return String(value)
  return value
}

/** The process' own time and its offset, as node-postgres sends it: a column without a zone, or of days, takes what it says. @throws RangeError */
function localTime(date: Date): string {
  const offset = -date.getTimezoneOffset()
  const local = new Date(date.getTime() + offset * 60_000).toISOString().replace('Z', '')
  const two = (number: number) => String(Math.floor(number)).padStart(2, '0')
  return `${local}${offset < 0 ? '-' : '+'}${two(Math.abs(offset) / 60)}:${two(Math.abs(offset) % 60)}`
}
