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

/** What we aim at, as ratios within one run. */
export function targets(results: Results): Target[] {
  const peers = (best: 'graphileFastest' | 'bossSeveral') => rateOf(results, best)
  const our = rateOf(results, 'ours')
  const byDefault = rateOf(results, 'oursByDefault')
  const held = (contender: ContenderName, isHeld: boolean) =>
    results.held.find((run) => run.contender === contender && run.held === isHeld)?.rate
  const settings = [
    ['c = 10', 10, 1],
    ['c = 100', 100, 1],
    ['2 processes', 10, 2],
  ] as const
  return [
    ...settings.map(([name, concurrency, processes]) =>
      atLeast(
        `drain, ${name}: graphile-worker's fastest`,
        2,
        over(our, peers('graphileFastest'), concurrency, processes),
      ),
    ),
    atLeast(
      "drain, defaults, c = 10: graphile-worker's defaults",
      10,
      over(byDefault, rateOf(results, 'graphileByDefault'), 10, 1),
    ),
    atLeast("drain, defaults, c = 10: graphile-worker's fastest", 1, over(byDefault, peers('graphileFastest'), 10, 1)),
    atLeast("drain, c = 100: pg-boss' fastest", 3, over(our, peers('bossSeveral'), 100, 1)),
    atLeast('drain, c = 100: the one-client limit', 0.75, over(our, rateOf(results, 'limit'), 100, 1)),
    atLeast(
      "drain, rows deleted, c = 100: graphile-worker's fastest",
      2.5,
      over(rateOf(results, 'oursDeleted'), peers('graphileFastest'), 100, 1),
    ),
    atMost('latency idle, p50: the best peer', 0.6, latencyRatio(results, 20, 'p50')),
    atMost('latency at 500/s, p99: the best peer', 0.4, latencyRatio(results, 500, 'p99')),
    atLeast('5 ms handlers, 100 in flight: the ideal', 0.9, workRatio(results)),
    atLeast('arrays of 1,000: one INSERT by hand', 0.9, enqueueRatio(results)),
    ...growthTargets(results),
    atLeast('drain under a held snapshot: without', 0.8, ratio(held('ours', true), held('ours', false))),
    atLeast('drain, 5 priorities: without', 0.8, ratio(held('oursByPriority', false), held('ours', false))),
    atMost('statements per job at c = 100', 0.05, drainOf(results, 'ours', 100, 1)?.statements),
    ...results.idle
      .filter(({ contender }) => contender.startsWith('ours'))
      .map(({ workers, statements }) =>
        atMost(`idle statements a minute, workers of one process: ${workers}`, 4, statements),
      ),
  ]
}

type Rate = (concurrency: number, processes: number) => number | undefined

function drainOf(results: Results, contender: ContenderName, concurrency: number, processes: number) {
  return results.drain.find(
    (run) => run.contender === contender && run.concurrency === concurrency && run.processes === processes,
  )
}

function rateOf(results: Results, contender: ContenderName): Rate {
  return (concurrency, processes) => drainOf(results, contender, concurrency, processes)?.rate
}

function over(one: Rate, other: Rate, concurrency: number, processes: number): number | undefined {
  return ratio(one(concurrency, processes), other(concurrency, processes))
}

function ratio(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? undefined : one / other
}

function latencyRatio(results: Results, load: number, field: 'p50' | 'p99'): number | undefined {
  const runs = results.latency.filter((run) => run.load === load)
  const peers = runs.filter(({ contender }) => contender !== 'ours').map((run) => run[field])
  const own = runs.find(({ contender }) => contender === 'ours')?.[field]
  return peers.length === 0 ? undefined : ratio(own, Math.min(...peers))
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

/** Just after a table was worked off; and the largest table against the smallest, the worst of all mixes. */
function growthTargets(results: Results): Target[] {
  const rows = results.growth.map((run) => run.rows)
  const [smallest, largest] = [Math.min(...rows), Math.max(...rows)]
  const worked = results.growth.filter(({ mix }) => mix === 'just worked off, and 10k due')
  const wakeUps = worked.map(({ wakeUp }) => wakeUp.pages)
  const most = atMost('pages of a wake-up just after the jobs were worked off', 60, Math.max(...wakeUps))
  const grown = (['fetch', 'settle', 'wakeUp'] as const).map((verb) => {
    const ratios = results.growth
      .filter((run) => run.rows === largest)
      .map((large) => {
        const small = results.growth.find(
          (run) => run.rows === smallest && run.mix === large.mix && run.priority === large.priority,
        )
        return ratio(large[verb].pages, small?.[verb].pages) ?? Number.NaN
      })
    const name = `pages of a ${verb === 'wakeUp' ? 'wake-up' : verb}, the largest table: the smallest`
    return atMost(name, 1.5, ratios.length === 0 ? undefined : Math.max(...ratios))
  })
  return [...(worked.length === 0 ? [] : [most]), ...grown]
}

function atLeast(target: string, aim: number, value: number | undefined): Target {
  return { target, aim: `at least ${aim}`, value, reached: value !== undefined && value >= aim }
}

function atMost(target: string, aim: number, value: number | undefined): Target {
  return { target, aim: `at most ${aim}`, value, reached: value !== undefined && value <= aim }
}
