import type { CompiledQuery } from 'kysely'
import { preparedInTransactionMark, preparedMark } from '../pg/prepared-statements.js'

/** A statement to be parsed and planned once for each connection, where that takes longer than to run it. */
export function prepared<Row>(query: CompiledQuery<Row>): CompiledQuery<Row> {
  return { ...query, sql: query.sql + preparedMark }
}

/** The same within a transaction, which a refusal ends: whoever began it begins another. */
export function preparedInTransaction<Row>(query: CompiledQuery<Row>): CompiledQuery<Row> {
  return { ...query, sql: query.sql + preparedInTransactionMark }
}
