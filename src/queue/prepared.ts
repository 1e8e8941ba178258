import type { CompiledQuery } from 'kysely'
import { preparedMark } from '../pg/client-statements.js'

/** A statement to be parsed and planned once for each connection, where that takes longer than to run it. */
export function prepared<Row>(query: CompiledQuery<Row>): CompiledQuery<Row> {
  return { ...query, sql: query.sql + preparedMark }
}
