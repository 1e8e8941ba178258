import type { Kysely } from 'kysely'
import { sqlState } from '../pg/error-class.js'

/** What PgBouncer says of a transaction in statement mode (`protocol_violation`), before it hangs up. */
const protocolViolation = '08P01'

/** The database is behind a pooler in statement mode. */
export class StatementPoolingError extends Error {
  override readonly name = 'StatementPoolingError'
  readonly code = 'STATEMENT_POOLING'
}

/**
 * Begins and ends a transaction: a pooler in statement mode allows none, so neither `complete(trx)` nor a handler's own.
 * @throws StatementPoolingError; whatever the database says
 */
export async function assertTransactions<DB>(db: Kysely<DB>): Promise<void> {
  try {
    await db.transaction().execute(async () => {})
  } catch (cause) {
    if (sqlState(cause) !== protocolViolation) throw cause
    throw new StatementPoolingError(
      'The database is behind a pooler in statement mode, which allows no transactions: set its pool_mode to transaction or session, or connect to the server itself',
      { cause },
    )
  }
}
