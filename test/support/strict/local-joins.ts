import { names } from './expressions.ts'
import type { Spread } from './operators.ts'
import type { Query, TableRef } from './query.ts'
import { type Item, isSymbol, isWord, nameOf } from './tokens.ts'

/** A table of a query around another, and what is known of it where it is distributed. */
export interface Around {
  readonly alias: string
  readonly spread: Spread | undefined
}

/** The names that the CTEs of a query have. */
export function cteNames({ clauses }: Query): string[] {
  const items = clauses.get('with') ?? []
  return items.flatMap((item, at) => {
    const next = items[at + 1]
    const isNamed = isWord(next, 'as') || (next?.kind === 'group' && isWord(items[at + 2], 'as'))
    return isNamed ? (nameOf(item) ?? []) : []
  })
}

/** Tables that are neither distributed nor CTEs: of the catalog, or of the server alone that is asked. */
export const isLocal = ({ schema, name }: TableRef, spread: Spread | undefined, ctes: readonly string[]): boolean =>
  spread === undefined && name !== '' && (schema !== undefined || !ctes.includes(name))

/**
 * Whether a query of local tables asks for columns of a distributed table around it; or the other way round. By its alias; or bare, where the
 * query's own tables are of the catalog, whose columns are called otherwise.
 */
export function reachesOut(query: Query, isOfLocal: boolean, around: readonly Around[]): boolean {
  const isOfCatalog = query.tables.every(({ schema, name }) => schema === 'pg_catalog' || name.startsWith('pg_'))
  return around.some(({ alias, spread }) => {
    if (isOfLocal === (spread === undefined)) return false
    if (!query.tables.some((own) => own.alias === alias) && names(query, alias)) return true
    return isOfCatalog && spread !== undefined && [...query.clauses.values()].some((it) => bare(it, spread))
  })
}

const bare = (items: readonly Item[], { columns }: Pick<Spread, 'columns'>): boolean =>
  items.some((item, at) => {
    if (item.kind === 'group') return bare(item.items, { columns })
    const [before, after] = [items[at - 1], items[at + 1]]
    const isOther = isSymbol(before, '.') || isSymbol(before, '::') || isWord(before, 'as') || isSymbol(after, '.')
    return !isOther && after?.kind !== 'group' && columns.includes(nameOf(item) ?? '')
  })
