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

/** Values by the real names of their columns, as JSON. */
export type KeptValues = Readonly<Record<string, unknown>>

/**
 * Values of a new job as JSON that is inserted as they would be: by their columns' real names, after the user's plugins had
 * their say; what JSON can't say, as Postgres reads it.
 * @returns undefined where they can't be kept: one is an expression, or an object of the driver's
 */
export function keptValues({ db, name }: Jobs, values: object): KeptValues | undefined {
  const row = values as InsertObject<JobDatabase, JobAlias> // the door's types have checked it
  if (Object.values(values).every((value) => value === undefined)) return {}
  const { query } = db.insertInto(name).values(row).compile()
  if (!InsertQueryNode.is(query)) return undefined
  const list = query.values !== undefined && ValuesNode.is(query.values) ? query.values.values[0] : undefined
  const kept: Record<string, unknown> = {}
  for (const [place, column] of (query.columns ?? []).entries()) {
    const value = list && valueIn(list, place)
    if (value === undefined || isOfDriver(value.of)) return undefined
    kept[column.column.name] = asJson(value.of)
  }
  return kept
}

/** A value of an inserted row, in a box; undefined where it is no value. */
function valueIn(list: OperationNode, place: number): { readonly of: unknown } | undefined {
  if (PrimitiveValueListNode.is(list)) return { of: list.values[place] }
  const node = ValueListNode.is(list) ? list.values[place] : undefined
  return node !== undefined && ValueNode.is(node) ? { of: node.value } : undefined
}

/** An object that tells the driver itself what it is sent as. */
const isOfDriver = (value: unknown): boolean => typeof Reflect.get(Object(value), 'toPostgres') === 'function'

/** Of dates, bytes and numbers that JSON can't say the text that Postgres reads. */
function asJson(value: unknown): unknown {
  if (value instanceof Date) return value.toISOString()
  if (ArrayBuffer.isView(value)) {
    const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength)
    return `\\x${bytes.toString('hex')}`
  }
  if (typeof value === 'bigint' || (typeof value === 'number' && !Number.isFinite(value))) return String(value)
  return value
}
