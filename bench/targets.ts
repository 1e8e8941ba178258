import type { ContenderName } from './contenders/all.ts'
import { enqueueingOfTarget } from './measures/enqueue.ts'
import type { Results } from './results.ts'

export interface Target {
  readonly target: string
  readonly aim: string
  /** Undefined where it was not measured in this run. */
  readonly value: number | undefined
  readonly reached: boolean
}

/** What we aim at, as ratios within one run where no unit is named. */
export function targets(results: Results): Target[] {
  return [
    ...drainTargets(results),
    ...archiveTargets(results),
    ...backlogTargets(results),
    ...latencyTargets(results),
    ...growthTargets(results),
    atLeast('5 ms handlers, 100 in flight: the ideal', 0.9, workRatio(results)),
    atLeast('arrays of 1,000: one INSERT by hand', 0.9, enqueueRatio(results)),
    atMost(
      'pages of a dashboard, the slowest: ms of the server',
      100,
      highest(results.dashboard.map(({ cpu }) => cpu)),
    ),
    ...results.idle
      .filter(({ contender }) => contender.startsWith('ours'))
      .map(({ workers, statements }) =>
        atMost(`idle statements a minute, workers of one process: ${workers}`, 4, statements),
      ),
  ]
}

/** At c = 100 in one process, where nothing else is said. */
function drainTargets(results: Results): Target[] {
  const graphile = (own: ContenderName, concurrency = 100, processes = 1) =>
    ratio(rateOf(results, own, concurrency, processes), rateOf(results, 'graphileFastest', concurrency, processes))
  const boss = highest([rateOf(results, 'bossSeveral'), rateOf(results, 'bossSingle')])
  const byHand = ratio(rateOf(results, 'oursBatch', 1), rateOf(results, 'batchByHand', 1))
  const ideal = ratio(rateOf(results, 'ours'), rateOf(results, 'limit'))
  return [
    atLeast("drain, leases, c = 10: graphile-worker's fastest", 1.4, graphile('ours', 10)),
    atLeast("drain, leases: graphile-worker's fastest", 1.4, graphile('ours')),
    atLeast("drain, leases, 2 processes: graphile-worker's fastest", 1.4, graphile('ours', 10, 2)),
    atLeast("drain, held: graphile-worker's fastest", 2.2, graphile('oursHeld')),
    atLeast("drain, held, lean: graphile-worker's fastest", 3, graphile('oursHeldLean')),
    atLeast("drain, held, lean, deleted: graphile-worker's fastest", 4, graphile('oursHeldDeleted')),
    atLeast("drain, held, lean: pg-boss' fastest", 4.5, ratio(rateOf(results, 'oursHeldLean'), boss)),
    atLeast('batches in transactions: the same by hand', 0.8, byHand),
    atLeast('drain, leases: the one-client limit', 0.75, ideal),
    atMost('WAL bytes a job, held', 560, drainOf(results, 'oursHeldLean')?.wal),
    atMost('WAL bytes a job, held, deleted', 290, drainOf(results, 'oursHeldDeleted')?.wal),
    atMost('statements a job, leases', 0.05, drainOf(results, 'ours')?.statements),
  ]
}

function archiveTargets(results: Results): Target[] {
  const over = (one: ContenderName, other: ContenderName) => ratio(rateOf(results, one), rateOf(results, other))
  return [
    atLeast('drain, leases, archived: kept', 0.95, over('oursArchived', 'ours')),
    atLeast('drain, held, lean, archived: kept', 1, over('oursHeldArchived', 'oursHeldLean')),
  ]
}

function backlogTargets({ held }: Results): Target[] {
  const rate = (contender: ContenderName, isHeld: boolean) =>
    held.find((run) => run.contender === contender && run.held === isHeld)?.rate
  const free = rate('ours', false)
  return [
    atLeast('drain, 5 priorities: none', 0.8, ratio(rate('oursByPriority', false), free)),
    atLeast('drain under a held snapshot: without', 0.8, ratio(rate('ours', true), free)),
  ]
}

function latencyTargets({ latency }: Results): Target[] {
  const overBest = (load: number, field: 'p50' | 'p99') => {
    const runs = latency.filter((run) => run.load === load)
    const peers = runs.filter(({ contender }) => !contender.startsWith('ours')).map((run) => run[field])
    return ratio(runs.find(({ contender }) => contender === 'ours')?.[field], lowest(peers))
  }
  return [
    atMost('latency idle, p50: the best peer', 0.75, overBest(20, 'p50')),
    atMost('latency at 500/s, p50: the best peer', 0.75, overBest(500, 'p50')),
    atMost('latency at 500/s, p99: the best peer', 0.7, overBest(500, 'p99')),
    atMost('latency at 2,000/s, p50: the best peer', 0.5, overBest(2_000, 'p50')),
  ]
}

/** Just after a table was worked off; and the largest table against the smallest, the worst of all mixes. */
function growthTargets({ growth }: Results): Target[] {
  const rows = growth.map((run) => run.rows)
  const [smallest, largest] = [Math.min(...rows), Math.max(...rows)]
  const worked = growth.filter(({ mix }) => mix === 'just worked off, and 10k due')
  const wakeUp = highest(worked.map((run) => run.wakeUp.pages))
  const grown = (['fetch', 'settle', 'wakeUp'] as const).map((verb) => {
    const ratios = growth
      .filter((run) => run.rows === largest)
      .map((large) => {
        const small = growth.find(
          (run) => run.rows === smallest && run.mix === large.mix && run.priority === large.priority,
        )
        return ratio(large[verb].pages, small?.[verb].pages)
      })
    const name = `pages of a ${verb === 'wakeUp' ? 'wake-up' : verb}, the largest table: the smallest`
    return atMost(name, 1.5, highest(ratios))
  })
  return [atMost('pages of a wake-up just after a million jobs', 60, wakeUp), ...grown]
}

function workRatio(results: Results): number | undefined {
  const run = results.work.find(({ contender, handler }) => contender === 'ours' && handler === 'wait')
  return ratio(run?.rate, run?.ideal)
}

function enqueueRatio(results: Results): number | undefined {
  const rate = (name: ContenderName) =>
    results.enqueue.find(({ contender, way }) => contender === name && way === enqueueingOfTarget)?.rate
  return ratio(rate('ours'), rate('byHand'))
}

function drainOf({ drain }: Results, contender: ContenderName, concurrency = 100, processes = 1) {
  return drain.find(
    (run) => run.contender === contender && run.concurrency === concurrency && run.processes === processes,
  )
}

function rateOf(...[results, contender, concurrency, processes]: Parameters<typeof drainOf>): number | undefined {
  return drainOf(results, contender, concurrency, processes)?.rate
}

function ratio(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? undefined : one / other
}

function highest(values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined)
  return known.length === 0 ? undefined : Math.max(...known)
}

function lowest(values: readonly number[]): number | undefined {
  return values.length === 0 ? undefined : Math.min(...values)
}

function atLeast(target: string, aim: number, value: number | undefined): Target {
  return { target, aim: `at least ${aim}`, value, reached: value !== undefined && value >= aim }
}

function atMost(target: string, aim: number, value: number | undefined): Target {
  return { target, aim: `at most ${aim}`, value, reached: value !== undefined && value <= aim }
}
