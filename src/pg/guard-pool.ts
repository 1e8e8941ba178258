import type { Client, Pool } from 'pg'
import { type Duration, milliseconds } from '../schema/duration.js'
import { guardedClient } from './guarded-client.js'
import { LivenessCheck } from './liveness-check.js'
import { withQuickTimestamps } from './quick-timestamps.js'

/** A property of pools that are guarded, by whichever copy of this package. */
export const guarded: unique symbol = Symbol.for('kysely-jobs.guarded')

export interface PoolBounds {
  /** The longest wait for a connection. Default 10 s. */
  readonly connect?: Duration | undefined
  /** The longest wait for a query's answer. Default 60 s. */
  readonly query?: Duration | undefined
}

/**
 * Mends what ends or hangs a long-lived process that shares a pool with Kysely, and gives the pool back:
 * - a checked-out client without an error listener ends the process when the server restarts: each gets one;
 * - a client whose query timed out, or whose backend was terminated, goes back to the pool as if healthy, and the
 *   next query on it fails: it is closed in place; so is one whose server became read-only, as after a failover:
 *   who connects anew may reach the new primary;
 * - a connection that was cut off without a word hangs its query for ever: where the first byte of an answer takes longer
 *   than half a second, the server is asked, over one more connection, whether it will come, and the connection closed
 *   where not; behind a pooler or a balancer nobody is asked. Connecting and querying get bounds, where the pool has none
 *   of its own; nor does a client whose server is gone hang the end of the process;
 * - timestamps, of which a job has four or more, are read by a quicker parser, to the same values;
 * - the worker's small statements are prepared once for each connection, but behind a pooler.
 *
 * Call it before the pool's first connection. A pool that is guarded already is given back as it is.
 * @throws DurationError
 * @example
 * const db = new Kysely<DB>({ dialect: new PostgresDialect({ pool: guardPool(new pg.Pool({ connectionString })) }) })
 */
export function guardPool<Guarded extends Pool>(pool: Guarded, bounds: PoolBounds = {}): Guarded {
  if (guarded in pool) return pool
  const { options } = pool
  options.connectionTimeoutMillis ||= bound(bounds.connect ?? '10s', 'connect')
  options.query_timeout ||= bound(bounds.query ?? '60s', 'query')
  options.keepAlive ??= true
  options.types = withQuickTimestamps(options.types)
  const Unguarded = Reflect.get(pool, 'Client') as typeof Client // the pool's own way to make its clients, untyped
  Reflect.set(pool, 'Client', guardedClient(Unguarded, new LivenessCheck(pool, Unguarded), options.max))
  pool.on('error', () => {}) // the pool drops the client; whoever queries next gets a fresh one, or its error
  pool.on('release', (_error, client) => {
    if (Reflect.get(client, 'mustEnd')) client.end().catch(() => {}) // a client that is ending does not go back to the pool
  })
  return Object.defineProperty(pool, guarded, { value: true })
}

/** pg counts it with setTimeout, which counts to 2^31 and fires at once beyond. */
function bound(duration: Duration, name: string): number {
  return Math.min(milliseconds(duration, name), 2 ** 31 - 1)
}
