import type { WorkerHealth } from '../worker/health.js'

/** One thing that was looked at. */
export interface HealthCheck {
  readonly ok: boolean
  /** What was seen; where `ok` is false, why, and what helps. */
  readonly why: string
}

/** The checks of a probe, each by its name, which begins with the worker's table where it is of one. */
export type HealthChecks = Readonly<Record<string, HealthCheck>>

type OfTable = WorkerHealth & { readonly table: string }

const seconds = (milliseconds: number) => `${(milliseconds / 1000).toFixed(1)} s`

/** Whether a worker's process should go on: what another process would not meet. A worker that starts or stops is let be. */
export function livenessOf(workers: readonly OfTable[]): HealthChecks {
  return named(workers, { loop, handlers })
}

/** Whether a worker works: what makes it ready, but the database. */
export function readinessOf(workers: readonly OfTable[]): HealthChecks {
  return named(workers, { state, wakeUps, lease })
}

type Check = (health: WorkerHealth) => HealthCheck

function named(workers: readonly OfTable[], checks: Readonly<Record<string, Check>>): HealthChecks {
  const all = workers.flatMap((worker, place) =>
    Object.entries(checks).map(([name, check]) => [nameOf(workers, place, name), check(worker)]),
  )
  return Object.fromEntries(all)
}

/** Of several workers of a table the others are numbered. */
function nameOf(workers: readonly OfTable[], place: number, check: string): string {
  const { table } = workers[place] as OfTable // a place of the list
  const before = workers.slice(0, place).filter((worker) => worker.table === table).length
  return `${table}${before === 0 ? '' : ` ${before + 1}`}: ${check}`
}

function loop({ state, alive, serverAway, lastFetch }: WorkerHealth): HealthCheck {
  if (state !== 'running') return { ok: true, why: `the worker is ${state}` }
  if (alive)
    return { ok: true, why: lastFetch ? `a fetch came back ${ago(lastFetch)}` : 'the first fetch is under way' }
  if (serverAway)
    return { ok: true, why: 'no fetch comes back, as the server is away or does not answer: a restart would not help' }
  return {
    ok: false,
    why: `for a lease no fetch has come back${lastFetch ? `; the last one did ${ago(lastFetch)}` : ''}: the log says why`,
  }
}

const ago = (time: Date) => `${seconds(Date.now() - time.getTime())} ago`

function handlers({ stuck, running }: WorkerHealth): HealthCheck {
  if (stuck === 0) return { ok: true, why: `${running} run` }
  return {
    ok: false,
    why: `${stuck} of ${running} go on though their signal was aborted a lease ago (a timeout, a lost lease or a cancel): they must heed context.signal`,
  }
}

function state({ state }: WorkerHealth): HealthCheck {
  return { ok: state === 'running', why: `the worker is ${state}` }
}

/** Polling alone is complete: without a listener jobs wait for the next poll. */
function wakeUps({ listener, alive }: WorkerHealth): HealthCheck {
  const by = listener === 'listening' ? 'notifications and polling' : `polling alone (listener: ${listener})`
  return alive ? { ok: true, why: by } : { ok: false, why: `${by}, but for a lease no fetch has come back` }
}

function lease({ leaseMargin }: WorkerHealth): HealthCheck {
  if (leaseMargin === undefined) return { ok: true, why: 'none is held' }
  if (leaseMargin > 0) return { ok: true, why: `the oldest one has ${seconds(leaseMargin)} left` }
  return {
    ok: false,
    why: `the oldest one has expired ${seconds(-leaseMargin)} ago, as it could not be renewed: other workers take its job`,
  }
}
