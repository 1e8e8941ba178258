import { callsIn, isMutable, isVolatile, type Volatilities } from './expressions.ts'
import type { Query } from './query.ts'

/** What stands beside a recursive CTE goes to the node with it, or not at all: no INSERT, nothing volatile, and no text of a row that was written. */
export function isRoutedWhole({ inner }: Query, known: Volatilities): boolean {
  return inner.every(({ clause, query }) => {
    if (clause !== 'with') return true
    if (query.kind === 'insert') return false
    if (query.kind !== 'select' && query.kind !== 'other' && callsOf(query, known, 'returning').some(isMutable))
      return false
    return !callsOf(query, known).some(isVolatile)
  })
}

type Clause = Query['inner'][number]['clause']

/** All calls of a query, or of one of its clauses, with those of the queries that stand in it. */
function callsOf(query: Query, known: Volatilities, only?: Clause): ReturnType<typeof callsIn> {
  const clauses = [...query.clauses].filter(([clause]) => only === undefined || clause === only)
  const inner = query.inner.filter(({ clause }) => only === undefined || clause === only)
  return [
    ...clauses.flatMap(([, items]) => callsIn(items, known)),
    ...inner.flatMap((each) => callsOf(each.query, known)),
  ]
}
