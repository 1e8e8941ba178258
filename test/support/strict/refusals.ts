import {
  callsIn,
  isMutable,
  isOfOne,
  isVolatile,
  lazyParts,
  names,
  takesColumn,
  type Volatilities,
} from './expressions.ts'
import { type Clause, type Query, readQuery, type TableRef } from './query.ts'
import { isRoutedWhole } from './recursion.ts'
import { type Item, isSymbol, isWord, nameOf } from './tokens.ts'

/** What a server says that refuses a statement. */
export interface Refusal {
  readonly code: string
  readonly message: string
}

export interface Known {
  /** Tables that are distributed, as `schema.name`, each with its column. */
  readonly distributed: ReadonlyMap<string, string>
  readonly volatilities: Volatilities
}

const unsupported = (message: string): Refusal => ({ code: '0A000', message })

/** As Citus 13.2 says them. */
export const refusals = {
  volatileInUpdate: unsupported('functions used in UPDATE queries on distributed tables must not be VOLATILE'),
  volatileInWhere: unsupported(
    'functions used in the WHERE/ON/WHEN clause of modification queries on distributed tables must not be VOLATILE',
  ),
  lazy: unsupported('non-IMMUTABLE functions are not allowed in CASE or COALESCE statements'),
  stableOfColumn: unsupported('STABLE functions used in UPDATE queries cannot be called with column references'),
  mutableReturned: unsupported('non-IMMUTABLE functions are not allowed in the RETURNING clause'),
  mutableInConflict: unsupported(
    'functions used in the DO UPDATE SET clause of INSERTs on distributed tables must be marked IMMUTABLE',
  ),
  lock: unsupported('could not run distributed query with FOR UPDATE/SHARE commands'),
  join: unsupported(
    'complex joins are only supported when all distributed tables are co-located and joined on their distribution columns',
  ),
  recursive: unsupported('recursive CTEs are only supported when they contain a filter on the distribution column'),
  moved: unsupported('modifying the partition value of rows is not allowed'),
  uniqueIndex: unsupported('creating unique indexes on non-partition columns is currently unsupported'),
  statistics: { code: '42883', message: 'no binary output function available for type aclitem' },
  noColumns: { code: '42601', message: 'a column definition list is required for functions returning "record"' },
} as const satisfies Record<string, Refusal>

/** Why Citus refuses a statement; undefined: it does not. */
export function refusalOf(items: readonly Item[], known: Known): Refusal | undefined {
  if (isWord(items[0], 'create')) return ofIndex(items, known)
  const query = readQuery(
    isWord(items[0], 'explain')
      ? items.slice(items.findIndex((item) => isWord(item, 'with', 'select', 'update', 'delete', 'insert')))
      : items,
  )
  const columns = columnsIn(query, known)
  if (columns.length === 0) return undefined
  if (all(query).some(({ tables }) => tables.some(({ name }) => name === 'pg_stats'))) return refusals.statistics
  return ofQuery(query, known, undefined)
}

function ofIndex(items: readonly Item[], known: Known): Refusal | undefined {
  const at = items.findIndex((item) => isWord(item, 'on'))
  if (!isWord(items[1], 'unique') || at < 0) return undefined
  const group = items.findIndex((item, n) => n > at && item.kind === 'group')
  const schema = isSymbol(items[group - 2], '.') ? nameOf(items[group - 3]) : undefined
  const column = columnOf({ schema, name: nameOf(items[group - 1]) ?? '' }, known)
  const columns = items[group]
  if (column === undefined || columns?.kind !== 'group') return undefined
  return columns.items.some((item) => nameOf(item) === column) ? undefined : refusals.uniqueIndex
}

/** By what a table is distributed; one that is named without its schema may be any of its name. */
function columnOf({ schema, name }: Pick<TableRef, 'schema' | 'name'>, { distributed }: Known): string | undefined {
  if (schema !== undefined) return distributed.get(`${schema}.${name}`)
  return [...distributed].find(([table]) => table.endsWith(`.${name}`))?.[1]
}

/** All queries of a query. */
const all = (query: Query): Query[] => [query, ...query.inner.flatMap((each) => all(each.query))]

const columnsIn = (query: Query, known: Known): string[] =>
  all(query).flatMap(({ tables }) => tables.flatMap((table) => columnOf(table, known) ?? []))

/** @param around the aliases of distributed tables of the queries around it; undefined: there is none around it */
function ofQuery(query: Query, known: Known, around: readonly string[] | undefined): Refusal | undefined {
  const own = query.tables.filter((table) => columnOf(table, known) !== undefined)
  const column = own[0] && columnOf(own[0], known)
  const isOne = column !== undefined && isOfOne(query, column)
  const found =
    ofModification(query, column, known) ?? (column !== undefined && !isOne ? ofSpread(query, around) : undefined)
  if (found !== undefined) return found
  if (query.isRecursive && !isRoutedWhole(query, known.volatilities)) return refusals.recursive
  const outside = [...(around ?? []), ...own.map(({ alias }) => alias)]
  for (const { clause, query: each } of query.inner) {
    if (clause === 'with' && query.isRecursive && isSpread(each, known)) return refusals.recursive
    const inner = ofQuery(each, known, clause === 'with' ? [] : outside)
    if (inner !== undefined) return inner
  }
  return undefined
}

/** Of a query over all nodes. */
function ofSpread(query: Query, around: readonly string[] | undefined): Refusal | undefined {
  if (query.kind !== 'select') return undefined
  if (query.locks) return refusals.lock
  if (around === undefined) return undefined
  if (around.some((alias) => names(query, alias))) return refusals.join
  // What is planned by itself becomes a function's rows, of which there are columns.
  return (query.clauses.get('select')?.length ?? 0) > 0 ? undefined : refusals.noColumns
}

const isSpread = (query: Query, known: Known): boolean =>
  all(query).some(({ tables, ...rest }) =>
    tables.some((table) => {
      const column = columnOf(table, known)
      return column !== undefined && !isOfOne({ ...rest, tables }, column)
    }),
  )

function ofModification(query: Query, column: string | undefined, known: Known): Refusal | undefined {
  if (column === undefined || query.kind === 'select' || query.kind === 'other') return undefined
  const calls = (clause: Clause) => callsIn(query.clauses.get(clause) ?? [], known.volatilities)
  if (query.kind === 'insert') return calls('conflict').some(isMutable) ? refusals.mutableInConflict : undefined
  const [set, where] = [query.clauses.get('set') ?? [], query.clauses.get('where') ?? []]
  if (calls('set').some(isVolatile)) return refusals.volatileInUpdate
  if (set.some((item, at) => nameOf(item) === column && isAssigned(set, at))) return refusals.moved
  if (calls('where').some(isVolatile)) return refusals.volatileInWhere
  if ([...calls('set'), ...calls('where')].some(takesColumn)) return refusals.stableOfColumn
  const lazy = [...lazyParts(set), ...lazyParts(where)]
  if (lazy.some((part) => callsIn(part, known.volatilities).some(isMutable))) return refusals.lazy
  return calls('returning').some(isMutable) ? refusals.mutableReturned : undefined
}

/** `column =`, at the beginning or behind a comma. */
function isAssigned(set: readonly Item[], at: number): boolean {
  const [before, after] = [set[at - 1], set[at + 1]]
  const isFirst = before === undefined || (before.kind === 'symbol' && before.text === ',')
  return isFirst && after?.kind === 'symbol' && after.text === '='
}
