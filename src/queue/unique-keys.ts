import { isExpression } from 'kysely'
import type { NewRow } from './new-rows.js'

/** Rows of the same values, in the order in which they were given. */
export type SameRows = readonly [NewRow, ...NewRow[]]

/**
 * Rows of the same values together, sorted by the values, so that two enqueuers lock the same jobs in the same order, and neither
 * waits for the other for ever.
 *
 * What is the same for Postgres alone (letters of a case-insensitive text) is in several groups; whoever sends them sees to that.
 */
export function byValues(rows: readonly NewRow[], columns: readonly string[]): SameRows[] {
  const groups = new Map<string, [NewRow, ...NewRow[]]>()
  for (const row of rows) {
    const key = keyOf(row, columns)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [row])
    else group.push(row)
  }
  return [...groups].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, group]) => group)
}

/**
 * All rows in the order of their values, cut where the same values come again: a statement can't write to a job twice. So no statement
 * locks a job whose values come before those that an earlier one has locked.
 */
export function inTurns(groups: readonly SameRows[]): NewRow[][] {
  const turns: NewRow[][] = [[]]
  for (const group of groups) {
    for (const [n, row] of group.entries()) {
      if (n > 0) turns.push([])
      turns.at(-1)?.push(row)
    }
  }
  return turns
}

/** The values as a text that is the same for what is sent as the same: the number 1 and the text '1'. */
function keyOf(row: NewRow, columns: readonly string[]): string {
  return JSON.stringify(columns.map((name) => textOf(Reflect.get(row, name))))
}

function textOf(value: unknown): string {
  if (value instanceof Date) return String(value.getTime())
  if (ArrayBuffer.isView(value)) return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('hex')
  if (typeof value !== 'object' || value === null) return String(value)
  return isExpression(value) ? '' : JSON.stringify(value)
}

/** Rows in their order, cut where the columns that they give change: those that a row does not give are to keep what they have. */
export function byColumns(rows: readonly NewRow[]): NewRow[][] {
  const runs: NewRow[][] = []
  let last: string | undefined
  for (const row of rows) {
    const columns = JSON.stringify(givenColumns(row).sort())
    if (columns !== last) runs.push([])
    last = columns
    runs.at(-1)?.push(row)
  }
  return runs
}

/** The columns for which a row has a value. */
export function givenColumns(row: NewRow): string[] {
  return Object.entries(row).flatMap(([name, value]) => (value === undefined ? [] : [name]))
}
