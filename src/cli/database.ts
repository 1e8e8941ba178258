import { Kysely, PostgresDialect } from 'kysely'
import pg from 'pg'
import { connectionError } from '../pg/connection-error.js'
import { guardPool } from '../pg/guard-pool.js'
import { clientOf } from './database-url.js'

/**
 * Opens the database of a URL, runs an action on it, and closes it.
 * @param max how many connections it may have at a time
 * @throws DatabaseUrlError, ConnectionError
 */
export async function withDatabase<T>(
  url: string | undefined,
  action: (db: Kysely<unknown>) => Promise<T>,
  max = 1,
): Promise<T> {
  const target = clientOf(url)
  const pool = guardPool(new pg.Pool({ connectionString: url, max }), { connect: '10s', query: '30s' })
  const db = new Kysely<unknown>({ dialect: new PostgresDialect({ pool }) })
  try {
    return await action(db)
  } catch (error) {
    throw connectionError(error, target)
  } finally {
    await db.destroy()
  }
}
