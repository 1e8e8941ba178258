import type { Registry } from 'prom-client'
import type { Queryable } from '../schema/job-table.js'
import { figuresOf } from '../telemetry/figures.js'
import { TableWatch } from '../telemetry/table-watch.js'
import { type Watched, workersOf } from '../telemetry/watched.js'
import { hasMetrics, registerMetrics } from './prom-metrics.js'

export interface MetricsOptions<DB = unknown> {
  /** Where metrics of the program's own are registered: they are given with ours. Default: one of our own. */
  readonly registry?: Registry | undefined
  /** Asks this database how much is due, running, retrying and failed, at most every 15 seconds. Default: it is not asked. */
  readonly db?: Queryable<DB> | undefined
}

/** The package prom-client, an optional peer, is missing. */
export class NoPromClientError extends Error {
  override readonly name = 'NoPromClientError'
  readonly code = 'NO_PROM_CLIENT'
}

/** Registries that were given, and have not been scraped yet. */
const awaiting = new WeakSet<Registry>()

/**
 * Answers scrapes of Prometheus with what the workers of a runner, or some workers, have counted, and how they are. A job costs nothing for it: all is
 * read at the scrape. With `db` it also tells of the tables, as the database has them. Needs the package prom-client (15).
 *
 * @throws TypeError without workers, and for a registry that has the metrics of another metricsHandler; NoPromClientError at a request
 * @example
 * const metrics = metricsHandler(runner, { db })
 * const response = await metrics(new Request('http://localhost/metrics'))
 */
export function metricsHandler<DB>(
  watched: Watched,
  { registry, db }: MetricsOptions<DB> = {},
): (request: Request) => Promise<Response> {
  const workers = workersOf(watched, 'metricsHandler')
  if (registry !== undefined) reserve(registry)
  const watch = db && new TableWatch(db as Queryable<unknown>, workers) // it asks by names alone
  const look = async () => figuresOf(workers, (await watch?.look()) ?? new Map())
  let registered: Registry | undefined
  const register = (client: PromClient) => {
    if (registry !== undefined) awaiting.delete(registry)
    registered ??= registerMetrics(client, registry, look, watch !== undefined) // of several scrapes at once the first does
    return registered
  }
  return async ({ method }) => {
    if (method !== 'GET' && method !== 'HEAD')
      return new Response(null, { status: 405, headers: { allow: 'GET, HEAD' } })
    const metrics = registered ?? register(await promClient())
    const headers = { 'content-type': metrics.contentType }
    return new Response(method === 'HEAD' ? null : await metrics.metrics(), { headers })
  }
}

/** Two of one registry would fail at a scrape, long after. */
function reserve(registry: Registry): void {
  if (awaiting.has(registry) || hasMetrics(registry))
    throw new TypeError('registry: it has the metrics of another metricsHandler; give all workers to one')
  awaiting.add(registry)
}

type PromClient = typeof import('prom-client')

async function promClient(): Promise<PromClient> {
  try {
    return (await import('prom-client')).default
  } catch (error) {
    throw new NoPromClientError('metricsHandler needs the package prom-client: npm install prom-client', {
      cause: error,
    })
  }
}
