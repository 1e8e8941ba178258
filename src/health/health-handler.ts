import type { Runner } from '../runner/runner.js'
import { type Duration, milliseconds } from '../schema/duration.js'
import { type HealthCheck, type HealthChecks, livenessOf, readinessOf } from './checks.js'

export interface HealthOptions {
  /** How long the database may take to answer the question of readiness. Default 2 s. */
  readonly timeout?: Duration | undefined
}

/** What is asked of a runner. */
type Probed = Pick<Runner, 'health' | 'ping'>

/** The body of an answer, as JSON. */
export interface HealthReport {
  readonly status: 'ok' | 'failing'
  readonly checks: HealthChecks
}

/** However often it is asked, the database is at most once in so long (milliseconds): the endpoint may be open to many. */
const shortestInterval = 1_000

/**
 * Answers probes over HTTP by 200 or 503, and JSON that says which check failed and why. A path that ends with `/live` is about whether the
 * process should go on: its loops turn, and no handler goes on a lease after its signal was aborted; the database is never asked. One that
 * ends with `/ready` is about whether it works: started and not stopping, leases held, and the database answers within `timeout` (default 2 s;
 * asked at most once a second). Any other path is 404.
 *
 * @throws DurationError
 * @example
 * const health = healthHandler(runner)
 * const response = await health(new Request('http://localhost/ready'))
 */
export function healthHandler(runner: Probed, options: HealthOptions = {}): (request: Request) => Promise<Response> {
  const database = askedNow(runner, milliseconds(options.timeout ?? '2s', 'timeout'))
  return async (request) => {
    if (request.method !== 'GET' && request.method !== 'HEAD')
      return new Response(null, { status: 405, headers: { allow: 'GET, HEAD' } })
    const { workers } = runner.health()
    const { pathname } = new URL(request.url)
    if (pathname.endsWith('/live')) return answer(livenessOf(workers))
    if (pathname.endsWith('/ready')) return answer({ ...readinessOf(workers), database: await database() })
    return Response.json({ error: `${pathname}: there is /live and /ready` }, { status: 404 })
  }
}

function answer(checks: HealthChecks): Response {
  const isOk = Object.values(checks).every(({ ok }) => ok)
  const report: HealthReport = { status: isOk ? 'ok' : 'failing', checks }
  return Response.json(report, { status: isOk ? 200 : 503, headers: { 'cache-control': 'no-store' } })
}

/** Whoever comes while it is asked, or a moment later, has the same answer. */
function askedNow(runner: Probed, limit: number): () => Promise<HealthCheck> {
  let last: Promise<HealthCheck> | undefined
  let nextAt = Number.NEGATIVE_INFINITY
  return () => {
    if (last !== undefined && performance.now() < nextAt) return last
    nextAt = Number.POSITIVE_INFINITY
    const asked = performance.now()
    last = databaseCheck(runner, limit).finally(() => {
      nextAt = asked + shortestInterval
    })
    return last
  }
}

/** What the database says may name hosts and users: it is told to the log of the process alone. */
async function databaseCheck(runner: Probed, limit: number): Promise<HealthCheck> {
  const start = performance.now()
  try {
    await runner.ping(limit)
    return { ok: true, why: `it answered in ${Math.round(performance.now() - start)} ms` }
  } catch (error) {
    const code = error instanceof Error ? Reflect.get(error, 'code') : undefined
    return { ok: false, why: `it does not answer${typeof code === 'string' ? ` (${code})` : ''}` }
  }
}
