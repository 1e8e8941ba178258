import type { ContenderName } from './contenders/all.ts'
import { ideal } from './handlers.ts'
import { dashboardPages } from './measures/dashboard.ts'
import { drain } from './measures/drain.ts'
import { type Enqueueing, enqueueingOfTarget, enqueueings, enqueueRate } from './measures/enqueue.ts'
import { growth, mixes } from './measures/growth.ts'
import { idle } from './measures/idle.ts'
import { latency } from './measures/latency.ts'
import { limitedRate, limits } from './measures/limits.ts'
import { partitionCounts, partitioned, shapes } from './measures/partitions.ts'
import { drains, jobsOf, loads, type Plan } from './plan.ts'
import type { Results } from './results.ts'
import type { Server } from './server.ts'
import { interleaved, median, medians, quantiles } from './statistics.ts'

/** Each measures one thing and adds what it found to the results. */
export type Section = (server: Server, plan: Plan, results: Results) => Promise<void>

export const sections = {
  drain: async (server, plan, results) => {
    for (const { concurrency, processes, contenders, aside } of drains) {
      const runs = await interleaved(contenders, aside ? 1 : plan.rounds, (contender) =>
        drain(server, { contender, jobs: jobsOf(plan, contender), concurrency, processes }),
      )
      for (const contender of contenders)
        results.drain.push({ contender, concurrency, processes, ...medians(runs[contender]) })
    }
  },

  held: async (server, plan, results) => {
    const settings = {
      free: { contender: 'ours', held: false },
      held: { contender: 'ours', held: true },
      levels: { contender: 'oursByPriority', held: false },
      heldLevels: { contender: 'oursByPriority', held: true },
    } as const
    const names = Object.keys(settings) as (keyof typeof settings)[]
    const runs = await interleaved(names, 2, (name) => {
      const { contender, held: heldSnapshot } = settings[name]
      return drain(server, { contender, jobs: plan.heldJobs, concurrency: 100, processes: 1, heldSnapshot })
    })
    for (const name of names) results.held.push({ ...settings[name], rate: medians(runs[name]).rate })
  },

  latency: async (server, plan, results) => {
    const contenders = [
      'ours',
      'oursSynchronous',
      'graphileFastest',
      'graphileByDefault',
      'bossSeveral',
      'bull',
    ] as const
    for (const load of loads) {
      const runs = await interleaved(contenders, plan.rounds, (contender) =>
        latency(server, contender, load, load * plan.latencySeconds),
      )
      for (const contender of contenders) {
        const figures = medians(runs[contender].map(({ waits: _, ...run }) => run))
        const waits = quantiles(runs[contender].flatMap((run) => run.waits))
        results.latency.push({ contender, load, ...figures, waits })
      }
    }
  },

  enqueue: async (server, plan, results) => {
    const contenders = ['ours', 'oursQuiet', 'graphileFastest', 'bossSeveral', 'bull', 'byHand'] as const
    for (const [name, way] of Object.entries(enqueueings)) {
      const able = contenders.filter((contender) => contender !== 'byHand' || way.size < 65_535) // its parameters
      const rounds = name === enqueueingOfTarget ? plan.rounds : 1
      const runs = await interleaved(able, rounds, (contender) => enqueueRate(server, contender, way as Enqueueing))
      for (const contender of able)
        results.enqueue.push({ contender, way: name as keyof typeof enqueueings, rate: median(runs[contender]) })
    }
  },

  work: async (server, plan, results) => {
    const contenders = ['ours', 'oursHeld', 'graphileFastest', 'bossSeveral', 'bull'] as const
    const kinds = [
      { handler: 'wait', concurrency: 100, jobs: 40_000 },
      { handler: 'compute', concurrency: 10, jobs: 2_000 },
    ] as const
    for (const { handler, concurrency, jobs } of kinds) {
      const best = await ideal(handler, concurrency, jobs)
      const runs = await interleaved(contenders, plan.workRounds, (contender) => {
        const some = jobsOf({ ...plan, jobs }, contender)
        return drain(server, { contender, jobs: some, concurrency, processes: 1, handler })
      })
      for (const contender of contenders) {
        results.work.push({ contender, handler, concurrency, rate: medians(runs[contender]).rate, ideal: best })
      }
    }
  },

  growth: async (server, plan, results) => {
    for (const name of Object.keys(mixes) as (keyof typeof mixes)[]) {
      for (const priority of [false, true]) {
        for (const rows of plan.tableRows) {
          const measured = await growth(server, rows, name, priority)
          results.growth.push(...measured.map(({ mix, cost }) => ({ mix, priority, rows, ...cost })))
        }
      }
    }
  },

  partitions: async (server, _plan, results) => {
    for (const by of Object.keys(shapes) as (keyof typeof shapes)[])
      for (const count of partitionCounts) results.partitions.push(await partitioned(server, by, count))
  },

  limits: async (server, plan, results) => {
    const names = Object.keys(limits)
    const runs = await interleaved(names, plan.workRounds, (name) =>
      limitedRate(server, limits[name]!, plan.limitSeconds),
    )
    const rateOf = (name: string) => median(runs[name]!) // each was measured
    for (const [setting, { against, allowed }] of Object.entries(limits)) {
      const [rate, other] = [rateOf(setting), against === undefined ? allowed : rateOf(against)]
      results.limits.push({
        setting,
        rate,
        against: against ?? (allowed ? 'what it allows' : setting),
        ratio: rate / (other ?? rate),
      })
    }
  },

  telemetry: async (server, plan, results) => {
    const contenders = [
      'oursLean',
      'oursScraped',
      'oursMeasured',
      'oursUnsampled',
      'oursHundredth',
      'oursSampled',
      'oursBesideSdk',
    ] as const
    const runs = await interleaved(contenders, plan.rounds, (contender) =>
      drain(server, { contender, jobs: plan.jobs, concurrency: 100, processes: 1 }),
    )
    const bare = medians(runs.oursLean).rate
    for (const contender of contenders) {
      const { rate, cpu } = medians(runs[contender])
      results.telemetry.push({ contender, rate, cpu, ratio: rate / bare })
    }
  },

  dashboard: async (server, plan, results) => {
    for (const rows of plan.dashboardRows)
      for (const archived of [false, true]) {
        const sights = await dashboardPages(server, rows, archived)
        results.dashboard.push(...sights.map((sight) => ({ ...sight, archived })))
      }
  },

  idle: async (server, plan, results) => {
    const measured: [ContenderName, number][] = [
      ['ours', 1],
      ['oursByDefault', 10],
      ['graphileFastest', 1],
      ['graphileByDefault', 10],
      ['bossSeveral', 1],
      ['bossSingle', 10],
      ['bull', 1],
    ]
    // at the same time, each in a database of its own
    const costs = measured.map(async ([contender, workers]) => ({
      ...{ contender, workers },
      ...(await idle(server, contender, workers, plan.idleSeconds)),
    }))
    results.idle.push(...(await Promise.all(costs)))
  },
} satisfies Record<string, Section>

export type SectionName = keyof typeof sections
