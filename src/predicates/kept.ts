import { type RawBuilder, type SqlBool, sql } from 'kysely'
import { column } from './column.js'

/** The advisory lock by which a worker keeps the lease of a row that it must not write to. */
function leaseLock(table?: string): RawBuilder<string> {
  const partition = sql.ref(table === undefined ? 'tableoid' : `${table}.tableoid`)
  return sql<string>`hashtextextended(concat('kysely-jobs lease ', ${partition}, ' ', ${column('id', table)}), 0)`
}

/** Takes it until the end of the transaction, beside others; waits while a rescue has it. */
export const keepingLease = (table?: string): RawBuilder<unknown> =>
  sql`pg_advisory_xact_lock_shared(${leaseLock(table)})`

/** Whether nobody has it; then this transaction has. */
export const isNotKept = (table?: string): RawBuilder<SqlBool> => sql`pg_try_advisory_xact_lock(${leaseLock(table)})`

/** Lets the server end a transaction of this connection that says nothing for so many milliseconds, and its locks with it. */
export const endingSilence = (milliseconds: number): RawBuilder<unknown> =>
  sql`pg_catalog.set_config('idle_in_transaction_session_timeout', ${`${Math.ceil(milliseconds)}ms`}, true)`
