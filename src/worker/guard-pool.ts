import type { Pool, PoolClient } from 'pg'
import { type Duration, milliseconds } from '../schema/duration.js'
import { withQuickTimestamps } from './quick-timestamps.js'

/** What node-postgres rejects with when `query_timeout` passes; it has no code. */
const queryTimeoutMessage = 'Query read timeout'

export interface PoolBounds {
  /** The longest wait for a connection. Default 10 s. */
  readonly connect?: Duration
  /** The longest wait for a query's answer. Default 60 s. */
  readonly query?: Duration
}

/**
 * Mends what ends or hangs a long-lived process that shares a pool with Kysely, and gives the pool back:
 * - a checked-out client without an error listener ends the process when the server restarts: each gets one;
 * - a client whose query timed out, or whose backend was terminated, goes back to the pool as if healthy, and the
 *   next query on it fails: it is closed in place;
 * - a connection that was cut off without a word hangs its query for ever: connecting and querying get bounds, where
 *   the pool has none of its own;
 * - reading timestamps is half of a worker's work with node-postgres' own parser: a quicker one reads the same.
 *
 * Call it before the pool's first connection.
 * @throws DurationError
 * @example
 * const db = new Kysely<DB>({ dialect: new PostgresDialect({ pool: guardPool(new pg.Pool({ connectionString })) }) })
 */
export function guardPool<Guarded extends Pool>(pool: Guarded, bounds: PoolBounds = {}): Guarded {
  const { options } = pool
  options.connectionTimeoutMillis ||= milliseconds(bounds.connect ?? '10s', 'connect')
  options.query_timeout ||= milliseconds(bounds.query ?? '60s', 'query')
  options.keepAlive ??= true
  options.types = withQuickTimestamps(options.types)
  const broken = new WeakSet<PoolClient>()
  pool.on('error', () => {}) // the pool drops the client; whoever queries next gets a fresh one, or its error
  pool.on('connect', (client) => {
    client.on('error', () => {}) // whoever holds the client learns it from the query
    watchQueries(client, () => broken.add(client))
  })
  pool.on('release', (_error, client) => {
    if (broken.has(client)) client.end().catch(() => {}) // a client that is ending does not go back to the pool
  })
  return pool
}

function watchQueries(client: PoolClient, onBroken: () => void): void {
  const query = client.query
  const watched = (...parameters: unknown[]): unknown => {
    const answer: unknown = Reflect.apply(query, client, parameters)
    if (answer instanceof Promise) {
      answer.catch((error: unknown) => {
        if (breaksConnection(error)) onBroken()
      })
    }
    return answer
  }
  client.query = watched as typeof client.query // all overloads pass through
}

/** After a timeout the answer may still come, to the wrong query; after a FATAL error the server hangs up. */
function breaksConnection(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  return error.message === queryTimeoutMessage || Reflect.get(error, 'severity') === 'FATAL'
}
