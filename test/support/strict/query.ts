import { type Item, isSymbol, isWord, nameOf } from './tokens.ts'

/** A table as a query names it. */
export interface TableRef {
  readonly schema: string | undefined
  readonly name: string
  readonly alias: string
}

export type Clause =
  | 'with'
  | 'select'
  | 'target'
  | 'from'
  | 'set'
  | 'where'
  | 'returning'
  | 'conflict'
  | 'union'
  | 'rest'

/** A query, or one that stands in another. */
export interface Query {
  readonly kind: 'select' | 'update' | 'delete' | 'insert' | 'other'
  readonly tables: readonly TableRef[]
  /** What each clause says, without the queries in it. */
  readonly clauses: ReadonlyMap<Clause, readonly Item[]>
  /** The queries in it: CTEs, sub-selects, the other parts of a union; each with the clause that it stands in. */
  readonly inner: readonly { readonly clause: Clause; readonly query: Query }[]
  /** It locks rows: `for update` and the like. */
  readonly locks: boolean
  /** It is a CTE that names itself, or has one. */
  readonly isRecursive: boolean
}

const starts = ['with', 'select', 'update', 'delete', 'insert', 'values']
const unions = ['union', 'except', 'intersect']

/** What may stand behind a table that is given no other name. */
const behindTable = [
  ...['where', 'set', 'on', 'using', 'join', 'inner', 'left', 'right', 'full', 'cross', 'natural', 'lateral'],
  ...['order', 'group', 'having', 'limit', 'offset', 'for', 'returning', 'select', 'values', 'default', 'overriding'],
  ...unions,
]

/** Whether the items of a group are a query. */
export const isQuery = (items: readonly Item[]): boolean => isWord(items[0], ...starts)

/** Reads a statement, or what stands in brackets; also one whose parts stand in brackets of their own. */
export function readQuery(items: readonly Item[]): Query {
  const [first, ...rest] = items
  if (first?.kind === 'group' && isQuery(first.items)) return readQuery([...first.items, ...rest])
  return new Reader(items).read()
}

class Reader {
  readonly #items: readonly Item[]
  readonly #clauses = new Map<Clause, Item[]>()
  readonly #inner: { clause: Clause; query: Query }[] = []
  readonly #tables: TableRef[] = []
  #kind: Query['kind'] = 'other'
  #clause: Clause = 'with'
  #locks = false
  #isRecursive = false
  #expectsTable = false

  constructor(items: readonly Item[]) {
    this.#items = items
  }

  read(): Query {
    for (let at = 0; at < this.#items.length; at++) {
      if (isWord(this.#items[at], ...unions) && this.#clause !== 'with') {
        this.#clause = 'union'
        this.#add(this.#items.slice(isWord(this.#items[at + 1], 'all', 'distinct') ? at + 2 : at + 1))
        break
      }
      at = this.#step(at)
    }
    return {
      kind: this.#kind,
      tables: this.#tables,
      clauses: this.#clauses,
      inner: this.#inner,
      locks: this.#locks,
      isRecursive: this.#isRecursive,
    }
  }

  /** @returns the place of the last item that it took */
  #step(at: number): number {
    const item = this.#items[at]!
    const next = this.#items[at + 1]
    if (item.kind === 'group') {
      if (this.#clause === 'conflict' || !isQuery(item.items)) this.#keep(item)
      else this.#add(item.items)
      this.#expectsTable = false
      return at
    }
    if (isWord(item, 'recursive')) this.#isRecursive = true
    if (isWord(item, 'for') && isWord(next, 'update', 'no', 'share', 'key')) {
      this.#locks = true
      this.#clause = 'rest'
      return at + 1
    }
    if (this.#enters(item, next)) return at
    if (isSymbol(item, ',') && this.#clause === 'from') this.#expectsTable = true
    if (isWord(item, 'join')) this.#expectsTable = true
    else if (this.#expectsTable && !isWord(item, 'only', 'lateral')) return this.#table(at)
    this.#keep(item)
    return at
  }

  #enters(item: Item, next: Item | undefined): boolean {
    const first = this.#kind === 'other'
    const to = (clause: Clause, expectsTable = false) => {
      this.#clause = clause
      this.#expectsTable = expectsTable
      return true
    }
    if (first && isWord(item, 'select', 'update', 'insert', 'delete')) {
      this.#kind = nameOf(item) as Query['kind'] // one of these
      return to(isWord(item, 'select') ? 'select' : 'target', isWord(item, 'update'))
    }
    // An insert's own select.
    if (this.#kind === 'insert' && this.#clause === 'target' && isWord(item, 'select')) return to('select')
    if (first) return false
    if (isWord(item, 'into') || (isWord(item, 'from') && this.#clause === 'target')) return to('target', true)
    if (isWord(item, 'from', 'using') && this.#clause !== 'rest') return to('from', true)
    if (isWord(item, 'set')) return to(this.#clause === 'conflict' ? 'conflict' : 'set')
    if (isWord(item, 'where') && this.#clause !== 'conflict') return to('where')
    if (isWord(item, 'returning')) return to('returning')
    if (isWord(item, 'on') && isWord(next, 'conflict')) return to('conflict')
    if (isWord(item, 'order', 'limit', 'offset', 'having') || (isWord(item, 'group') && isWord(next, 'by')))
      return to('rest')
    return false
  }

  /** Reads `schema.table as alias`, or a function in its place. */
  #table(at: number): number {
    this.#expectsTable = false
    let last = at
    while (isSymbol(this.#items[last + 1], '.')) last += 2
    const name = nameOf(this.#items[last]) ?? ''
    if (this.#items[last + 1]?.kind === 'group' && this.#clause !== 'target') return last // a function
    const isSaid = isWord(this.#items[last + 1], 'as')
    const next = this.#items[isSaid ? last + 2 : last + 1]
    const named = isSaid || !isWord(next, ...behindTable) ? nameOf(next) : undefined
    const schema = last > at ? nameOf(this.#items[last - 2]) : undefined
    this.#tables.push({ schema, name, alias: named ?? name })
    return named === undefined ? last : last + (isSaid ? 2 : 1)
  }

  #keep(item: Item): void {
    const kept = this.#clauses.get(this.#clause) ?? []
    this.#clauses.set(this.#clause, kept)
    if (item.kind !== 'group') {
      kept.push(item)
      return
    }
    kept.push({ kind: 'group', items: this.#withoutQueries(item.items) })
  }

  /** What stands in brackets, without the queries in it, which are read by themselves. */
  #withoutQueries(items: readonly Item[]): Item[] {
    return items.map((item) => {
      if (item.kind !== 'group') return item
      if (!isQuery(item.items)) return { kind: 'group', items: this.#withoutQueries(item.items) }
      this.#add(item.items)
      return { kind: 'group', items: [] }
    })
  }

  #add(items: readonly Item[]): void {
    this.#inner.push({ clause: this.#clause, query: readQuery(items) })
  }
}
