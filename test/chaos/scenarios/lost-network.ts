import { setTimeout as sleep } from 'node:timers/promises'
import { Arena } from '../arena.ts'
import { isTakeover } from '../invariants.ts'
import { atMost, type Result, type Scenario, type Stage, seconds } from '../scenario.ts'
import { epoch } from '../witness.ts'

/** What the network does, to connections that are there and to new ones; and what it forgets when it heals. */
const faults = {
  'black hole': (arena: Arena) => arena.proxy.swallow(),
  'black hole to the server': (arena: Arena) => arena.proxy.swallow('up'),
  'black hole to the client': (arena: Arena) => arena.proxy.swallow('down'),
  'held back': (arena: Arena) => arena.proxy.hold(),
  'half-open': (arena: Arena) => arena.proxy.halfOpen(),
} as const

type Fault = keyof typeof faults

/** How soon after the network healed each process must have done a job. */
const promised = 2_000

export const lostNetwork: Scenario = {
  name: 'R3',
  promise: 'connections in a black hole, then healed: at work again within 2 s, signals fire before leases are taken',
  async run(stage) {
    if (stage.form === 'test') return loseAll(stage, 2_000, ['black hole'])
    const parts = await Promise.all([
      loseAll(stage, 2_000, ['black hole', 'half-open']),
      loseAll(stage, 2_000, ['black hole to the server', 'black hole to the client', 'held back']),
      loseAll(stage, 20_000, ['black hole', 'half-open']),
    ])
    return {
      breaches: parts.flatMap(({ breaches }) => breaches),
      figures: {
        ...Object.assign({}, ...parts.map(({ figures }) => figures)),
        'taken over': parts.reduce((sum, { takeovers }) => sum + takeovers, 0),
      },
    }
  },
}

interface Lost extends Result {
  readonly takeovers: number
}

/** Under leases that end during the fault, and under those that outlive it: then nobody but the network heals it. */
function loseAll(stage: Stage, lease: number, chosen: readonly Fault[]): Promise<Lost> {
  const settings = { lease, pollInterval: stage.form === 'test' ? 500 : 60_000 }
  return Arena.play(stage.servers, settings, (arena) => loseAgainAndAgain(arena, stage, chosen))
}

async function loseAgainAndAgain(arena: Arena, stage: Stage, chosen: readonly Fault[]): Promise<Lost> {
  await arena.start(stage.form === 'test' ? 1 : 2)
  // no fault reaches it: it takes what the others can not renew
  await arena.start(1, { url: arena.directUrl, concurrency: 4 })
  const measured: Record<string, string> = {}
  const breaches: string[] = []
  for (const fault of chosen) {
    const result = await underFault(arena, stage, fault)
    breaches.push(...result.breaches)
    measured[`${fault} (lease ${arena.settings.lease / 1000} s)`] = seconds(result.slowest)
  }
  const verdict = await arena.verdict()
  const takeovers = verdict.evidence.moves.filter(isTakeover).length
  return { breaches: [...breaches, ...verdict.breaches], figures: measured, takeovers }
}

const howLong = { test: 2_500, short: 10_000, long: 60_000 }

async function underFault(arena: Arena, stage: Stage, fault: Fault) {
  const hands = arena.crew.alive.slice(0, -1)
  const full = howLong[stage.form]
  const lasts = fault === 'half-open' ? 0 : fault === 'black hole' ? full : full / 2
  // some that outlive the fault and would write their outcomes late, but leave a slot free wherever they run, also where
  // they run again beside the attempt that lost its lease; and enough for all while it lasts
  await arena.enqueue(2, { act: 'stubborn', takes: lasts + 2_500 })
  await arena.enqueue(1, { act: 'complete', takes: lasts + 2_000 })
  await arena.enqueue(hands.length * 50 + lasts / 20, { act: 'work', takes: 80 })
  await arena.atWork(hands.length * 8)
  stage.say(lasts === 0 ? fault : `${fault} for ${lasts / 1000} s`)
  faults[fault](arena)
  await sleep(lasts)
  arena.proxy.heal()
  const healed = epoch()
  stage.say('healed')
  const slowest = await arena.slowestToWork(
    hands.map(({ pid }) => pid),
    healed,
  )
  await arena.finished(60_000 + 2 * lasts) // those that outlive the fault may begin anew, one after the other
  return { slowest, breaches: atMost(stage.form, promised, slowest, `at work again after ${fault}`) }
}
