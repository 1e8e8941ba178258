import { isOperationNodeSource } from 'kysely'

/** A row to insert, of whatever columns. */
type Row = Readonly<Record<string, unknown>>

/** How many columns any row has a value for: in a statement each row has as many parameters, or the word DEFAULT. */
export function widthOf(rows: readonly Row[]): number {
  const columns = new Set<string>()
  for (const row of rows) for (const name of Object.keys(row)) if (row[name] !== undefined) columns.add(name)
  return columns.size
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
