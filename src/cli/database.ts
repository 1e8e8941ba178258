import { Kysely, PostgresDialect } from 'kysely'
import pg from 'pg'
import { connectionError } from '../pg/connection-error.js'
import { guardPool } from '../pg/guard-pool.js'
import type { Duration } from '../schema/duration.js'
import { clientOf } from './database-url.js'

interface Bounds {
  /** How many connections. */
  readonly max?: number
  /** The longest wait for an answer. */
  readonly query?: Duration
}

/**
 * Opens the database of a URL, runs an action on it, and closes it. The action is also given what says of an error what is wrong on the way.
 * @throws DatabaseUrlError, ConnectionError
 */
export async function withDatabase<T>(
  url: string | undefined,
  action: (db: Kysely<unknown>, explained: (error: unknown) => unknown) => Promise<T>,
  { max = 1, query = '30s' }: Bounds = {},
): Promise<T> {
  const target = clientOf(url)
  const config = { connectionString: url, max, application_name: 'kysely-jobs' }
  const pool = guardPool(new pg.Pool(config), { connect: '10s', query })
  const db = new Kysely<unknown>({ dialect: new PostgresDialect({ pool }) })
  const explained = (error: unknown) => connectionError(error, target)
  try {
    return await action(db, explained)
  } catch (error) {
    throw explained(error)
  } finally {
    await db.destroy()
  }
}
