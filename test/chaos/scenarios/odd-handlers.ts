import { Arena } from '../arena.ts'
import type { Hand } from '../crew.ts'
import type { FinalJob } from '../invariants.ts'
import { oddities, timeout } from '../oddities.ts'
import type { Result, Scenario, Stage } from '../scenario.ts'
import { epoch } from '../witness.ts'

/** The longest `last_error`. */
const longest = 8_000

/** Each has one that never settles, and some slots more for the others. */
const concurrency = { test: 6, short: 6, long: 25 } as const

/** Longer than a busy machine lets a process stand still: nothing here is about leases, and a lost one ends its only attempt. */
const lease = 60_000

const rounds = { test: 1, short: 1, long: 20 } as const

export const oddHandlers: Scenario = {
  name: 'R9',
  promise:
    'handlers that throw or return anything, never settle, settle twice: each recorded readably, the loop goes on',
  run: (stage) =>
    Arena.play(
      stage.servers,
      { lease, timeout, maxAttempts: 1, concurrency: concurrency[stage.form], deadline: 500 },
      (arena) => doOddThings(arena, stage),
    ),
}

async function doOddThings(arena: Arena, { form, say }: Stage): Promise<Result> {
  await arena.start(1)
  const asked = new Map<string, (typeof oddities)[number]>()
  for (let round = 0; round < rounds[form]; round++) {
    for (const [number, oddity] of oddities.entries()) {
      const [id] = await arena.enqueue(1, { act: 'odd', takes: number })
      asked.set(id!, oddity)
      await arena.enqueue(1, { act: 'work', takes: 1 })
    }
    say(`${oddities.length} odd handlers`)
    await arena.finished(30_000)
  }
  const hand = arena.crew.hands[0]!
  const running = await untilRunning(hand, rounds[form])
  const { breaches, evidence } = await arena.verdict()
  const odd = evidence.jobs.flatMap((job) => {
    const oddity = asked.get(job.id)
    return oddity === undefined
      ? []
      : [...misrecorded(job, oddity)].map((what) => `a handler that ${oddity.name}: ${what}`)
  })
  const failed = evidence.jobs.filter(({ act, status }) => act === 'work' && status !== 'job_status_succeeded')
  return {
    breaches: [
      ...breaches,
      ...odd,
      ...failed.map(({ id, status }) => `job ${id} beside them ended as ${status}`),
      ...(running === rounds[form] ? [] : [`${running} handlers run, of which ${rounds[form]} never settle`]),
      ...(hand.code === 1 ? [] : [`the exit code was ${hand.code}, with handlers that would not end`]),
    ],
    figures: { 'odd handlers': asked.size, beside: evidence.jobs.length - asked.size },
  }
}

/** How many handlers the worker says to run, when all but so many have ended: now, or as the last odd one has, maybe late. */
async function untilRunning(hand: Hand, expected: number): Promise<unknown> {
  const since = epoch() // what was said before says nothing of the end
  hand.child.send('health?')
  await hand.saidWithin(10_000, 'health', ({ facts, at }) => at >= since && facts.running === expected)
  return hand.reports.findLast(({ event }) => event === 'health')?.facts.running
}

function* misrecorded(job: FinalJob, { says }: (typeof oddities)[number]): Generator<string> {
  const text = job.last_error
  const status =
    says === undefined
      ? 'job_status_succeeded'
      : says.source.includes('Timeout')
        ? 'job_status_timed_out'
        : 'job_status_failed'
  if (job.status !== status) yield `it ended as ${job.status}`
  if (says === undefined) return
  if (text === null || !says.test(text)) yield `its row says ${text?.slice(0, 200)}`
  if (text !== null && (text.length > longest || text.includes('[object Object]'))) yield 'its row can not be read'
}
