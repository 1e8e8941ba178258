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
import { type Around, cteNames, isLocal, reachesOut } from './local-joins.ts'
import { hasStableOperator, type Spread } from './operators.ts'
import { type Clause, isQuery, type Query, readQuery, type TableRef } from './query.ts'
import { isRoutedWhole } from './recursion.ts'
import { type Item, isSymbol, isWord, nameOf } from './tokens.ts'

/** What a server says that refuses a statement. */
export interface Refusal {
  readonly code: string
  readonly message: string
}

export interface Known {
  /** Tables that are distributed, or on a node of their own, as `schema.name`. */
  readonly distributed: ReadonlyMap<string, Spread>
  readonly volatilities: Volatilities
  /** The names of tables whose nodes do not answer. */
  readonly away: ReadonlySet<string>
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
  mutableConflict: unsupported(
    'functions used in the WHERE clause of the ON CONFLICT clause of INSERTs on distributed tables must be marked IMMUTABLE',
  ),
  subqueryInInsert: unsupported('subqueries are not supported within INSERT queries'),
  localJoin: unsupported('direct joins between distributed and local tables are not supported'),
  trigger: { code: 'XX000', message: 'triggers are not supported on distributed tables' },
  lock: unsupported('could not run distributed query with FOR UPDATE/SHARE commands'),
  join: unsupported(
    'complex joins are only supported when all distributed tables are co-located and joined on their distribution columns',
  ),
  recursive: unsupported('recursive CTEs are only supported when they contain a filter on the distribution column'),
  moved: unsupported('modifying the partition value of rows is not allowed'),
  uniqueIndex: unsupported('creating unique indexes on non-partition columns is currently unsupported'),
  cstring: { code: '42P16', message: 'column "textout" has pseudo-type cstring' },
  noValue: { code: '22004', message: 'cannot perform an INSERT without a partition column value' },
  statistics: { code: '42883', message: 'no binary output function available for type aclitem' },
  away: { code: '08006', message: 'connection to the remote node postgres@10.0.0.2:5432 failed' },
  noColumns: { code: '42601', message: 'a column definition list is required for functions returning "record"' },
} as const satisfies Record<string, Refusal>

/** Why Citus refuses a statement; undefined: it does not. */
export function refusalOf(items: readonly Item[], known: Known): Refusal | undefined {
  if (isWord(items[0], 'create')) return ofIndex(items, known)
  if (isWord(items[0], 'drop')) return ofDrop(items, known)
  const query = readQuery(
    isWord(items[0], 'explain')
      ? items.slice(items.findIndex((item) => isWord(item, 'with', 'select', 'update', 'delete', 'insert')))
      : items,
  )
  if (all(query).some(({ tables }) => tables.some(({ name }) => known.away.has(name)))) return refusals.away
  if (spreadsIn(query, known).length === 0) return undefined
  if (all(query).some(({ tables }) => tables.some(({ name }) => name === 'pg_stats'))) return refusals.statistics
  if (isSpread(query, known) || hasLocals(query, known)) {
    const isUnion = query.inner.some(({ clause }) => clause === 'union')
    if (isUnion && partsOf(query).some(makesCstring)) return refusals.cstring
    if (query.inner.some(({ query: inner }) => isWithoutColumns(inner, query.tables, known))) return refusals.noColumns
  }
  return ofQuery(query, known, { ctes: [], tables: [] })
}

/** Whether a query of distributed tables has others, that are neither. */
function hasLocals(query: Query, known: Known, around: readonly string[] = []): boolean {
  const ctes = [...around, ...all(query).flatMap(cteNames)]
  return all(query).some(({ tables }) => tables.some((table) => isLocal(table, spreadOf(table, known), ctes)))
}

/** A query and those with which it is a union; the first may stand in brackets. */
const partsOf = (query: Query): Query[] => [
  query,
  ...query.inner.flatMap((each) => (each.clause === 'union' || query.kind === 'other' ? partsOf(each.query) : [])),
]

function ofIndex(items: readonly Item[], known: Known): Refusal | undefined {
  const at = items.findIndex((item) => isWord(item, 'on'))
  if (!isWord(items[1], 'unique') || at < 0) return undefined
  const group = items.findIndex((item, n) => n > at && item.kind === 'group')
  const schema = isSymbol(items[group - 2], '.') ? nameOf(items[group - 3]) : undefined
  const column = spreadOf({ schema, name: nameOf(items[group - 1]) ?? '' }, known)?.by ?? undefined
  const columns = items[group]
  if (column === undefined || columns?.kind !== 'group') return undefined
  return columns.items.some((item) => nameOf(item) === column) ? undefined : refusals.uniqueIndex
}

/** Also of a trigger that is not there. */
function ofDrop(items: readonly Item[], known: Known): Refusal | undefined {
  if (!isWord(items[1], 'trigger')) return undefined
  const at = items.findIndex((item) => isWord(item, 'on'))
  const schema = isSymbol(items[at + 2], '.') ? nameOf(items[at + 1]) : undefined
  const name = nameOf(items[schema === undefined ? at + 1 : at + 3]) ?? ''
  return spreadOf({ schema, name }, known) === undefined ? undefined : refusals.trigger
}

/** Where a table is; one that is named without its schema may be any of its name. */
function spreadOf({ schema, name }: Pick<TableRef, 'schema' | 'name'>, { distributed }: Known): Spread | undefined {
  if (schema !== undefined) return distributed.get(`${schema}.${name}`)
  return [...distributed].find(([table]) => table.endsWith(`.${name}`))?.[1]
}

/** Whether a text inserts into a table that is spread by a column, of which the rows come back in the order of nodes. */
export function isSpreadInsert(text: string, known: Known): boolean {
  const [, schema, name = ''] = /^\s*insert into (?:"([^"]+)"\.)?"([^"]+)"/i.exec(text) ?? []
  return typeof spreadOf({ schema, name }, known)?.by === 'string'
}

/** All queries of a query. */
const all = (query: Query): Query[] => [query, ...query.inner.flatMap((each) => all(each.query))]

const spreadsIn = (query: Query, known: Known): Spread[] =>
  all(query).flatMap(({ tables }) => tables.flatMap((table) => spreadOf(table, known) ?? []))

/** What stands around a query: the CTEs that it may name, and the tables; undefined where it is planned by itself. */
interface Outside {
  readonly ctes: readonly string[]
  readonly tables: readonly Around[]
  readonly isInner?: true
}

function ofQuery(query: Query, known: Known, outside: Outside): Refusal | undefined {
  const ctes = [...outside.ctes, ...cteNames(query)]
  const tables = query.tables.map((table) => ({ table, alias: table.alias, spread: spreadOf(table, known) }))
  const spreads = tables.flatMap((each) => each.spread ?? [])
  const spread = spreads.find(({ by }) => by !== null) ?? spreads[0] // beside a reference table it is the other that counts
  const locals = tables.filter((each) => isLocal(each.table, each.spread, ctes))
  const isOne = spread !== undefined && (spread.by === null || isOfOne(query, spread.by))
  const around = outside.tables.filter((each) => each.spread !== undefined).map(({ alias }) => alias)
  const found =
    ofModification(query, spread, known) ??
    (spread !== undefined && !isOne ? ofSpread(query, outside.isInner ? around : undefined) : undefined)
  if (found !== undefined) return found
  if (query.isRecursive && !isRoutedWhole(query, known.volatilities)) return refusals.recursive
  const isOfOneKind = spread === undefined ? locals.length > 0 : locals.length === 0
  if (isOfOneKind && reachesOut(query, spread === undefined, outside.tables)) return refusals.localJoin
  const within = tables.filter((each) => each.spread !== undefined || locals.includes(each))
  for (const { clause, query: each } of query.inner) {
    if (clause === 'with' && query.isRecursive && isInParts(each, query, known, ctes)) return refusals.recursive
    const inside = { ctes, tables: clause === 'with' ? [] : [...outside.tables, ...within], isInner: true } as const
    const inner = ofQuery(each, known, clause === 'union' ? { ...outside, ctes } : inside)
    if (inner !== undefined) return inner
  }
  return undefined
}

/** A recursive CTE goes where the whole statement goes to one node. */
function isInParts(cte: Query, whole: Query, known: Known, ctes: readonly string[]): boolean {
  return isSpread(cte, known) || (spreadsIn(cte, known).length > 0 && hasLocals(whole, known, ctes))
}

/** Of a query over all nodes. */
function ofSpread(query: Query, around: readonly string[] | undefined): Refusal | undefined {
  // What stands in another query becomes rows of the coordinator's, which are written down.
  if (around !== undefined && makesCstring(query)) return refusals.cstring
  if (query.kind !== 'select') return undefined
  if (query.locks) return refusals.lock
  if (around === undefined) return undefined
  return around.some((alias) => names(query, alias)) ? refusals.join : undefined
}

/** What is planned by itself becomes a function's rows, of which there are columns; not of a query that is about the rows around it. */
function isWithoutColumns(query: Query, around: readonly TableRef[], known: Known): boolean {
  const isEmpty = query.kind === 'select' && (query.clauses.get('select')?.length ?? 0) === 0
  if (isEmpty && spreadsIn(query, known).length > 0 && !around.some(({ alias }) => names(query, alias))) return true
  return query.inner.some((each) => isWithoutColumns(each.query, [...around, ...query.tables], known))
}

/** Its first column, or what it gives back of rows that it writes, is of the type of `textout`, which no node sends. */
function makesCstring({ kind, clauses }: Query): boolean {
  const items = clauses.get(kind === 'select' ? 'select' : 'returning') ?? []
  const at = items.findIndex((item) => nameOf(item) === 'textout')
  const isFirst = at === 0 || (at === 2 && isSymbol(items[1], '.'))
  return isFirst && items[at + 1]?.kind === 'group' && !isSymbol(items[at + 2], '::')
}

const isSpread = (query: Query, known: Known): boolean =>
  all(query).some(({ tables, ...rest }) =>
    tables.some((table) => {
      const column = spreadOf(table, known)?.by
      return typeof column === 'string' && !isOfOne({ ...rest, tables }, column)
    }),
  )

function ofModification(query: Query, spread: Spread | undefined, known: Known): Refusal | undefined {
  if (spread === undefined || query.kind === 'select' || query.kind === 'other') return undefined
  const clause = (name: Clause) => query.clauses.get(name) ?? []
  const isStable = (items: readonly Item[]) => hasStableOperator(items, spread)
  const calls = (items: readonly Item[]) => callsIn(items, known.volatilities)
  const isMutableIn = (items: readonly Item[]) => calls(items).some(isMutable) || isStable(items)
  if (query.kind === 'insert')
    return lacksValue(clause('target'), spread) ? refusals.noValue : ofInsert(query, isMutableIn)
  const [set, where] = [clause('set'), clause('where')]
  if (calls(set).some(isVolatile)) return refusals.volatileInUpdate
  if (spread.by !== null && set.some((item, at) => nameOf(item) === spread.by && isAssigned(set, at)))
    return refusals.moved
  if (calls(where).some(isVolatile)) return refusals.volatileInWhere
  if ([...calls(set), ...calls(where)].some(takesColumn) || isStable(set) || isStable(where))
    return refusals.stableOfColumn
  if ([...lazyParts(set), ...lazyParts(where)].some((part) => calls(part).some(isMutable))) return refusals.lazy
  return isMutableIn(clause('returning')) ? refusals.mutableReturned : undefined
}

function ofInsert({ clauses, inner }: Query, isMutableIn: (items: readonly Item[]) => boolean): Refusal | undefined {
  const conflict = clauses.get('conflict') ?? []
  const isOfSelect = clauses.has('select')
  const isWithin = !isOfSelect && inner.some(({ clause }) => clause === 'returning')
  if (isWithin || hasQuery(conflict)) return refusals.subqueryInInsert
  const at = conflict.findLastIndex((item) => isWord(item, 'where'))
  const isCondition = at > conflict.findIndex((item) => isWord(item, 'update'))
  const [changes, condition] = isCondition ? [conflict.slice(0, at), conflict.slice(at)] : [conflict, []]
  if (isMutableIn(changes)) return refusals.mutableInConflict
  if (isMutableIn(condition)) return refusals.mutableConflict
  return !isOfSelect && isMutableIn(clauses.get('returning') ?? []) ? refusals.mutableReturned : undefined
}

/** Whether the columns that are written are named, and that of the table is not among them, nor has it a default. */
const lacksValue = (target: readonly Item[], { by, filled }: Spread): boolean => {
  const named = target.find((item) => item.kind === 'group')
  return by !== null && !filled && named?.kind === 'group' && !named.items.some((item) => nameOf(item) === by)
}

const hasQuery = (items: readonly Item[]): boolean =>
  items.some((item) => item.kind === 'group' && (isQuery(item.items) || hasQuery(item.items)))

/** `column =`, at the beginning or behind a comma. */
function isAssigned(set: readonly Item[], at: number): boolean {
  const [before, after] = [set[at - 1], set[at + 1]]
  const isFirst = before === undefined || (before.kind === 'symbol' && before.text === ',')
  return isFirst && after?.kind === 'symbol' && after.text === '='
}
