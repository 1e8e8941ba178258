import { CompiledQuery, type Kysely } from 'kysely'
import { sqlState } from '../pg/error-class.js'
import { poolQuestion } from '../pg/pool-question.js'
import { textsOf } from '../schema/text.js'

/** What PgBouncer says of a transaction in statement mode (`protocol_violation`), before it hangs up. */
const protocolViolation = '08P01'

/** The database is behind a pooler in statement mode. */
export class StatementPoolingError extends Error {
  override readonly name = 'StatementPoolingError'
  readonly code = 'STATEMENT_POOLING'
}

/**
 * Asks within a transaction how many connections the pool may have: a pooler in statement mode allows no transaction, so
 * neither `complete(trx)` nor a handler's own.
 * @returns undefined where the pool is not guarded
 * @throws StatementPoolingError; whatever the database says
 */
export async function poolSize<DB>(db: Kysely<DB>): Promise<number | undefined> {
  try {
    const ask = (trx: Kysely<DB>) => textsOf(trx, CompiledQuery.raw(poolQuestion))
    const [max] = await db.transaction().execute(ask)
    return max === null || max === undefined ? undefined : Number(max)
  } catch (cause) {
    if (sqlState(cause) !== protocolViolation) throw cause
    throw new StatementPoolingError(
      'The database is behind a pooler in statement mode, which allows no transactions: set its pool_mode to transaction or session, or connect to the server itself',
      { cause },
    )
  }
}
