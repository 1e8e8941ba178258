import type { CompiledQuery } from 'kysely'
import { preparedMark } from '../pg/client-statements.js'
import type { Jobs } from '../schema/job-database.js'

/** A statement to be parsed and planned once for each connection, where that takes longer than to run it, and the server keeps statements. */
export function prepared<Row>({ home }: Pick<Jobs, 'home'>, query: CompiledQuery<Row>): CompiledQuery<Row> {
  return (home?.engine.preparedStatements ?? true) ? { ...query, sql: query.sql + preparedMark } : query
}
