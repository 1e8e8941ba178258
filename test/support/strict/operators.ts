import { type Item, isSymbol, isWord, nameOf } from './tokens.ts'

/** What a distributed table's column makes of operators and casts. */
export interface Spread {
  /** The column by whose values the rows are spread; null: all are on one node. */
  readonly by: string | null
  readonly columns: readonly string[]
  /** Whether that column has a default. */
  readonly filled: boolean
  /** Columns whose text depends on settings, of which a cast is stable. */
  readonly unsteady: readonly string[]
  /** Columns that are moments: to add an interval to one is stable. */
  readonly moments: readonly string[]
}

/** Whether an expression, wherever in it, casts a column to a text, or moves a moment on, in a way that is stable only. */
export function hasStableOperator(items: readonly Item[], spread: Pick<Spread, 'unsteady' | 'moments'>): boolean {
  const { unsteady, moments } = spread
  return items.some((item, at) => {
    if (item.kind === 'group') return hasStableOperator(item.items, spread)
    const name = nameOf(item)
    if (name === undefined) return false
    const after = items[at + 1]
    if (isSymbol(after, '::')) return unsteady.includes(name) && isWord(items[at + 2], 'text', 'varchar')
    return moments.includes(name) && (isSymbol(after, '+') || (isSymbol(after, '-') && isInterval(items.slice(at + 2))))
  })
}

/** Up to the end of the list item that it stands in. */
function isInterval(items: readonly Item[]): boolean {
  const end = items.findIndex((item) => isSymbol(item, ','))
  return items.slice(0, end < 0 ? items.length : end).some((item) => isWord(item, 'interval', 'make_interval'))
}
