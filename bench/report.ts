import { type ContenderName, contenders } from './contenders/all.ts'
import type { Cost } from './measures/cost.ts'
import { verbs } from './measures/growth.ts'
import type { Results } from './results.ts'
import { table } from './table.ts'
import { targets } from './targets.ts'

/** What is printed: the targets and the ratios first, the figures of this machine after them. */
export function report(results: Results): string {
  const parts = [
    [
      'Ratios, within this run (drains of 100 jobs at once in one process, where nothing else is said)',
      reached(results),
    ],
    ['Drain, jobs a second as a ratio to graphile-worker at its fastest', drainRatios(results)],
    [`As a side note, this machine's figures: ${results.machine}`, ''],
    ['Drain (CPU: of the worker processes, and of Postgres)', drains(results)],
    ['Drain with and without five priorities, and a held snapshot', held(results)],
    [
      'From the answer to the commit to the handler, ms (our claims commit asynchronously, where nothing else is said)',
      latencies(results),
    ],
    ['Enqueue', enqueues(results)],
    ['Handlers that wait 5 ms or compute 1 ms', work(results)],
    [
      'Pages touched, for each job of a batch of 500 (fetch, settle, heartbeat) or in all (rescue, wake-up)',
      pages(results),
      'The time they take, as a ratio to the smallest table of the kind',
      times(results),
    ],
    ['Partitions: pages touched in all (milliseconds: of planning, and of the run)', partitions(results)],
    ['Limits, lines and rates', limits(results)],
    ['Telemetry, 100 at once (CPU: of the worker process)', telemetry(results)],
    ["Pages of a dashboard: ms of the server's CPU, and the pages touched", dashboard(results)],
    ['Idle, a minute', idle(results)],
  ]
  return parts.map((part) => part.filter((text) => text !== '').join('\n\n')).join('\n\n')
}

function reached(results: Results): string {
  const rows = targets(results).map(({ target, aim, value, reached }) => ({
    target,
    aim,
    value: value === undefined ? 'not measured' : round(value),
    reached: value === undefined ? '' : reached ? 'reached' : 'not reached',
  }))
  return table(rows)
}

function drainRatios({ drain }: Results): string {
  const peer = ({ concurrency, processes }: Results['drain'][number]) =>
    drain.find(
      (run) => run.contender === 'graphileFastest' && run.concurrency === concurrency && run.processes === processes,
    )?.rate ?? Number.NaN
  return table(drain.map((run) => ({ ...setting(run), ratio: round(run.rate / peer(run)) })))
}

function drains({ drain }: Results): string {
  const rows = drain.map((run) => ({
    ...setting(run),
    'jobs/s': Math.round(run.rate),
    'statements/job': round(run.statements, 4),
    'pages/job': round(run.buffers, 1),
    'WAL bytes/job': Math.round(run.wal),
    'CPU µs/job': round(run.cpu, 1),
    'of Postgres': round(run.serverCpu, 1),
    MB: Math.round(run.memory),
  }))
  return table(rows)
}

function setting({ contender, concurrency, processes }: Results['drain'][number]) {
  return { contender: title(contender), c: concurrency, processes }
}

function held(results: Results): string {
  const rows = results.held.map(({ contender, held, rate }) => ({
    contender: contenders[contender].title,
    snapshot: held ? 'held' : 'free',
    'jobs/s': Math.round(rate),
  }))
  return table(rows)
}

function latencies({ latency }: Results): string {
  const rows = latency.map((run) => ({
    contender: title(run.contender),
    'jobs/s asked': run.load,
    reached: Math.round(run.rate),
    p50: round(run.p50),
    p99: round(run.p99),
    max: round(run.max),
  }))
  return table(rows)
}

function enqueues({ enqueue }: Results): string {
  return table(
    enqueue.map(({ way, contender, rate }) => ({ way, contender: title(contender), 'jobs/s': Math.round(rate) })),
  )
}

function work(results: Results): string {
  const rows = results.work.map((run) => ({
    contender: title(run.contender),
    handler: run.handler,
    'in flight': run.concurrency,
    'jobs/s': Math.round(run.rate),
    'share of the ideal': round(run.rate / run.ideal),
  }))
  return table(rows)
}

function pages(results: Results): string {
  return table(results.growth.map((run) => ({ ...tableOf(run), ...ofVerbs((verb) => round(run[verb].pages, 1)) })))
}

/** As a ratio to the smallest table of the same mix. */
function times(results: Results): string {
  const smallest = Math.min(...results.growth.map(({ rows }) => rows))
  const rows = results.growth.map((run) => {
    const small = results.growth.find((other) => tableOf(other).table === tableOf(run).table && other.rows === smallest)
    return { ...tableOf(run), ...ofVerbs((verb) => round(run[verb].time / (small ?? run)[verb].time)) }
  })
  return table(rows)
}

function tableOf({ mix, priority, rows }: Results['growth'][number]) {
  return { table: `${mix}${priority ? ', 5 priorities' : ''}`, rows }
}

function ofVerbs(value: (verb: (typeof verbs)[number]) => number | string): Record<string, number | string> {
  return Object.fromEntries(verbs.map((verb) => [verb, value(verb)]))
}

function partitions(results: Results): string {
  const shown = ({ pages, planning, time }: Cost) => `${pages} (${round(planning, 1)}, ${round(time, 1)})`
  const rows = results.partitions.map(({ by, partitions: count, idle, backlog }) => ({
    ...{ by, partitions: count, 'idle: fetch': shown(idle.fetch), 'wake-up': shown(idle.wakeUp) },
    ...{ 'backlog: fetch of 100': shown(backlog.fetch), 'wake-up ': shown(backlog.wakeUp) },
    ...{ 'settle of 1': shown(backlog.settleOne), 'settle of 100': shown(backlog.settle) },
  }))
  return table(rows)
}

function telemetry(results: Results): string {
  const rows = results.telemetry.map(({ contender, rate, cpu, ratio }) => ({
    ...{ telemetry: contenders[contender].title, 'jobs/s': Math.round(rate), ratio: round(ratio) },
    'CPU µs/job': round(cpu, 1),
  }))
  return table(rows)
}

function limits(results: Results): string {
  const rows = results.limits.map(({ setting, rate, against, ratio }) => ({
    setting,
    'jobs/s': Math.round(rate),
    ratio: round(ratio),
    to: against,
  }))
  return table(rows)
}

function dashboard(results: Results): string {
  const rows = results.dashboard.map(({ page, rows, archived, cpu, buffers, statements }) => ({
    ...{ page, table: archived ? 'with an archive' : 'plain', rows, ms: round(cpu, 1) },
    ...{ pages: Math.round(buffers), statements: Math.round(statements) },
  }))
  return table(rows)
}

function idle(results: Results): string {
  const rows = results.idle.map((run) => ({
    contender: title(run.contender),
    workers: run.workers,
    statements: round(run.statements, 1),
    pages: Math.round(run.buffers),
  }))
  return table(rows)
}

function title(contender: ContenderName): string {
  return contenders[contender].title
}

function round(value: number, digits = 2): number {
  return Number(value.toFixed(digits))
}
