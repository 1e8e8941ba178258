import type { Query } from './query.ts'
import { type Item, isSymbol, isWord, nameOf } from './tokens.ts'

/** Each function's volatility, as pg_proc has it: immutable, stable or volatile; of several of a name the most volatile. */
export type Volatilities = ReadonlyMap<string, 'i' | 's' | 'v'>

interface Call {
  readonly volatility: 'i' | 's' | 'v'
  readonly parameters: readonly Item[]
}

const keywords = [
  'and',
  'or',
  'not',
  'in',
  'any',
  'all',
  'some',
  'array',
  'exists',
  'values',
  'as',
  'then',
  'else',
  'when',
  'case',
  'end',
  'is',
  'null',
  'distinct',
  'from',
  'true',
  'false',
  'row',
  'filter',
  'within',
  'over',
  'collate',
  'at',
  'interval',
  'by',
  'coalesce',
  'cast',
  'between',
  'on',
]

/** All calls of functions in an expression, wherever they stand. */
export function callsIn(items: readonly Item[], known: Volatilities): Call[] {
  return items.flatMap((item, at): Call[] => {
    if (item.kind === 'group') {
      const name = nameOf(items[at - 1])
      const isCall = name !== undefined && !isWord(items[at - 1], ...keywords) && known.has(name)
      const own = isCall ? [{ volatility: known.get(name) ?? 'i', parameters: item.items }] : []
      return [...own, ...callsIn(item.items, known)]
    }
    return isWord(item, 'current_timestamp', 'localtimestamp', 'current_date')
      ? [{ volatility: 's', parameters: [] }]
      : []
  })
}

export const isMutable = ({ volatility }: Call): boolean => volatility !== 'i'
export const isVolatile = ({ volatility }: Call): boolean => volatility === 'v'

/** A stable function that is called with a column. */
export const takesColumn = ({ volatility, parameters }: Call): boolean => volatility === 's' && hasColumn(parameters)

function hasColumn(items: readonly Item[]): boolean {
  return items.some((item, at) => {
    if (item.kind === 'group') return hasColumn(item.items)
    if (item.kind === 'name') return items[at + 1]?.kind !== 'group'
    const isType = isSymbol(items[at - 1], '::') || isSymbol(items[at - 1], '.') || isSymbol(items[at + 1], '.')
    return (
      item.kind === 'word' &&
      !isWord(item, ...keywords) &&
      items[at + 1]?.kind !== 'group' &&
      !isType &&
      items[at + 1]?.kind !== 'text'
    )
  })
}

/** Each CASE and COALESCE of an expression, the outermost ones. */
export function lazyParts(items: readonly Item[]): Item[][] {
  const parts: Item[][] = []
  let depth = 0
  let part: Item[] = []
  for (const [at, item] of items.entries()) {
    if (isWord(item, 'case')) depth += 1
    if (depth > 0) part.push(item)
    else if (item.kind === 'group') {
      if (isWord(items[at - 1], 'coalesce')) parts.push([...item.items])
      else parts.push(...lazyParts(item.items))
    }
    if (isWord(item, 'end') && depth > 0) {
      depth -= 1
      if (depth === 0) parts.push(part)
      if (depth === 0) part = []
    }
  }
  return parts
}

/** Whether a query is about one value of a column: `column = $1`, or a constant. Of a table by its alias, or of the only one. */
export function isOfOne({ clauses }: Query, column: string): boolean {
  return [...(clauses.get('where') ?? []), { kind: 'group', items: clauses.get('from') ?? [] } as const].some(
    (item, at, items) => (item.kind === 'group' ? pairs(item.items, column) : pairs(items.slice(at, at + 4), column)),
  )
}

function pairs(items: readonly Item[], column: string): boolean {
  return items.some((item, at) => {
    if (item.kind === 'group') return pairs(item.items, column)
    if (!isSymbol(item, '=')) return false
    const [before, after] = [items[at - 1], items[at + 1]]
    return (nameOf(before) === column && isConstant(after)) || (nameOf(after) === column && isConstant(before))
  })
}

/** `any` of a list counts, as that of one value is one. */
function isConstant(item: Item | undefined): boolean {
  return item?.kind === 'parameter' || item?.kind === 'text' || item?.kind === 'number' || isWord(item, 'any')
}

/** Whether an expression, or what stands in it, names a table by this alias. */
export function names(query: Query, alias: string): boolean {
  const within = (items: readonly Item[]): boolean =>
    items.some((item, at) =>
      item.kind === 'group' ? within(item.items) : nameOf(item) === alias && isSymbol(items[at + 1], '.'),
    )
  return [...query.clauses.values()].some(within) || query.inner.some((each) => names(each.query, alias))
}
