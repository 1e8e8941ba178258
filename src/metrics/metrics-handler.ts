import type { Registry } from 'prom-client'
import type { Queryable } from '../schema/job-table.js'
import { figuresOf } from '../telemetry/figures.js'
import { TableWatch } from '../telemetry/table-watch.js'
import { type Watched, workersOf } from '../telemetry/watched.js'
import { registerMetrics } from './prom-metrics.js'

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

/**
 * Answers scrapes of Prometheus with what the workers of a runner, or some workers, have counted, and how they are. A job costs nothing for it: all is
 * read at the scrape. With `db` it also tells of the tables, as the database has them. Needs the package prom-client (15).
 *
 * @throws TypeError without workers; and, at a request, NoPromClientError, or an Error where `registry` has metrics of these names
 * @example
 * const metrics = metricsHandler(runner, { db })
 * const response = await metrics(new Request('http://localhost/metrics'))
 */
export function metricsHandler<DB>(
  watched: Watched,
  { registry, db }: MetricsOptions<DB> = {},
): (request: Request) => Promise<Response> {
  const workers = workersOf(watched, 'metricsHandler')
  const watch = db && new TableWatch(db as Queryable<unknown>, [...new Set(workers.map(({ table }) => table))]) // it asks by names alone
  const look = async () => figuresOf(workers, (await watch?.look()) ?? new Map())
  let registered: Promise<Registry> | undefined
  return async (request) => {
    if (request.method !== 'GET' && request.method !== 'HEAD')
      return new Response(null, { status: 405, headers: { allow: 'GET, HEAD' } })
    registered ??= promClient().then((client) => registerMetrics(client, registry, look, watch !== undefined))
    const metrics = await registered
    return new Response(await metrics.metrics(), { headers: { 'content-type': metrics.contentType } })
  }
}

async function promClient(): Promise<typeof import('prom-client')> {
  try {
    return (await import('prom-client')).default
  } catch (error) {
    throw new NoPromClientError('metricsHandler needs the package prom-client: npm install prom-client', {
      cause: error,
    })
  }
}
