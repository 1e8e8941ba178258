import type { Client, ClientConfig, Pool, PoolClient } from 'pg'
import { type Duration, milliseconds } from '../schema/duration.js'
import { sqlState } from './error-class.js'
import { asPgClient, LivenessCheck } from './liveness-check.js'
import { isPrepared, PreparedStatements } from './prepared-statements.js'
import { withQuickTimestamps } from './quick-timestamps.js'

/** What node-postgres rejects with when `query_timeout` passes; it has no code. */
const queryTimeoutMessage = 'Query read timeout'

/** `read_only_sql_transaction`: a write was refused. */
const readOnlyTransaction = '25006'

/** How long (milliseconds) a client that was closed waits for its server to hang up. */
const farewell = 500

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
 * - a connection that was cut off without a word hangs its query for ever: where an answer takes longer than half a
 *   second, the server is asked whether it will come, and the connection closed where not; connecting and querying get bounds,
 *   where the pool has none of its own; nor does a client whose server is gone hang the end of the process;
 * - timestamps, of which a job has four or more, are read by a quicker parser, to the same values;
 * - the worker's small statements are prepared once for each connection, but behind a pooler.
 *
 * Call it before the pool's first connection.
 * @throws DurationError
 * @example
 * const db = new Kysely<DB>({ dialect: new PostgresDialect({ pool: guardPool(new pg.Pool({ connectionString })) }) })
 */
export function guardPool<Guarded extends Pool>(pool: Guarded, bounds: PoolBounds = {}): Guarded {
  const { options } = pool
  options.connectionTimeoutMillis ||= bound(bounds.connect ?? '10s', 'connect')
  options.query_timeout ||= bound(bounds.query ?? '60s', 'query')
  options.keepAlive ??= true
  options.types = withQuickTimestamps(options.types)
  const broken = new WeakSet<PoolClient>()
  const liveness = guardedConnecting(pool)
  const statements = new PreparedStatements()
  pool.on('error', () => {}) // the pool drops the client; whoever queries next gets a fresh one, or its error
  pool.on('connect', (client) => {
    client.on('error', () => {}) // whoever holds the client learns it from the query
    watchQueries(client, liveness, statements, () => broken.add(client))
  })
  pool.on('acquire', (client) => liveness.restsNoMore(asPgClient(client)))
  pool.on('remove', (client) => liveness.restsNoMore(asPgClient(client)))
  pool.on('release', (_error, client) => {
    if (broken.has(client)) client.end().catch(() => {}) // a client that is ending does not go back to the pool
    liveness.rests(asPgClient(client))
  })
  return pool
}

/** pg counts it with setTimeout, which counts to 2^31 and fires at once beyond. */
function bound(duration: Duration, name: string): number {
  return Math.min(milliseconds(duration, name), 2 ** 31 - 1)
}

/** From its first moment on, a client is felt, and its end is bounded. */
function guardedConnecting(pool: Pool): LivenessCheck {
  const Unguarded = Reflect.get(pool, 'Client') as typeof Client // the pool's own way to make its clients, untyped
  const liveness = new LivenessCheck(pool, Unguarded)
  class Guarded extends Unguarded {
    constructor(config?: ClientConfig) {
      super(config)
      const self = asPgClient(this)
      liveness.asked(self)
      this.once('connect', () => liveness.answered(self))
      this.once('end', () => liveness.answered(self))
    }

    override end(...parameters: unknown[]): never {
      setTimeout(() => asPgClient(this).connection.stream.destroy(), farewell).unref()
      return Reflect.apply(super.end, this, parameters) as never // both overloads pass through
    }
  }
  Reflect.set(pool, 'Client', Guarded)
  return liveness
}

function watchQueries(
  client: PoolClient,
  liveness: LivenessCheck,
  statements: PreparedStatements,
  onBroken: () => void,
): void {
  const query = client.query
  const watched = (...parameters: unknown[]) => {
    const answer = Reflect.apply(query, client, parameters)
    if (answer instanceof Promise) {
      liveness.asked(asPgClient(client))
      answer.then(
        () => liveness.answered(asPgClient(client)),
        (error: unknown) => {
          liveness.answered(asPgClient(client))
          if (breaksConnection(error)) onBroken()
        },
      )
    }
    return answer
  }
  const kept = (...parameters: unknown[]): unknown => {
    if (!isPrepared(parameters)) return watched(...parameters)
    const [text, values] = parameters
    return statements.send({ text, values }, client, watched)
  }
  client.query = kept as typeof client.query // all overloads pass through
}

/**
 * After a timeout the answer may still come, to the wrong query; after a FATAL error the server hangs up. A session that
 * may not write will not before it ends, however long a worker tries: in use, it is never idle long enough to be renewed.
 */
function breaksConnection(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  return (
    error.message === queryTimeoutMessage ||
    Reflect.get(error, 'severity') === 'FATAL' ||
    sqlState(error) === readOnlyTransaction
  )
}
