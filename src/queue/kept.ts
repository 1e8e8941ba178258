import type { CompiledQuery } from 'kysely'

/** How a statement ends that guardPool() may keep on its connections. To all others it is a comment. */
export const keptMark = ' /* kept */'

/** A statement to be parsed and planned once for each connection, where that takes longer than to run it. */
export function kept<Row>(query: CompiledQuery<Row>): CompiledQuery<Row> {
  return { ...query, sql: query.sql + keptMark }
}
