import { Arena } from '../arena.ts'
import type { Hand } from '../crew.ts'
import { longest, type Result, type Scenario, type Stage, seconds } from '../scenario.ts'

const deadline = 700
/** Beyond its deadline a runner has a second, and its process, which closes its pool then, another. */
const promised = deadline + 1_000
const promisedGone = promised + 1_000

/** A moment at which a process is asked to end. Each resolves when the moment is there. */
interface Moment {
  readonly name: string
  /** Whether the worker runs first. */
  readonly started: boolean
  reach(arena: Arena, hand: Hand, stage: Stage): Promise<unknown>
  /** What makes the world whole again. */
  heal?(arena: Arena, stage: Stage): Promise<void> | void
  readonly codes: readonly number[]
  readonly twice?: boolean
}

const cutFetch = (arena: Arena) =>
  arena.proxy.cut('after', (statement) => statement.startsWith('update') && statement.includes('skip locked'))
const cutSettle = (arena: Arena) =>
  arena.proxy.cut('after', (statement) => statement.startsWith('update') && statement.includes('succeeded'))
const work = (arena: Arena, act: 'work' | 'stubborn', takes: number) =>
  arena.enqueue(4, { act, takes }).then(() => arena.atWork(4))

/** The exit codes are the documented ones: 0 all ended, 1 some would not by the deadline, 143 forced by SIGTERM. */
const moments: readonly Moment[] = [
  { name: 'starting', started: false, reach: async () => {}, codes: [0] },
  {
    name: 'starting in a black hole',
    started: false,
    reach: async (arena) => arena.proxy.swallow(),
    heal: (arena) => arena.proxy.heal(),
    codes: [0],
  },
  { name: 'idle', started: true, reach: async () => {}, codes: [0] },
  {
    name: 'fetching',
    started: true,
    reach: async (arena) => {
      const cut = cutFetch(arena)
      await arena.enqueue(4, { act: 'work', takes: 10 })
      await cut
    },
    codes: [0],
  },
  { name: 'running', started: true, reach: (arena) => work(arena, 'work', 200), codes: [0] },
  { name: 'running past the deadline', started: true, reach: (arena) => work(arena, 'work', 3_000), codes: [0] },
  { name: 'running deaf to its signal', started: true, reach: (arena) => work(arena, 'stubborn', 3_000), codes: [1] },
  {
    name: 'settling',
    started: true,
    reach: async (arena) => {
      const cut = cutSettle(arena)
      await arena.enqueue(4, { act: 'work', takes: 10 })
      await cut
    },
    codes: [0],
  },
  {
    name: 'reconnecting',
    started: true,
    reach: async (arena) => arena.proxy.halfOpen(),
    codes: [0],
  },
  {
    name: 'in a black hole, handlers at work',
    started: true,
    reach: async (arena) => {
      await work(arena, 'work', 200)
      arena.proxy.swallow()
      await arena.atRest() // what they did can't be written
    },
    heal: (arena) => arena.proxy.heal(),
    codes: [0],
  },
  {
    name: 'database away',
    started: true,
    reach: async (arena, _hand, { server }) => {
      await work(arena, 'work', 200)
      await server.halt('fast')
      await arena.atRest()
    },
    heal: (_arena, { server }) => server.resume(),
    codes: [0],
  },
  {
    name: 'stopping: a second signal',
    started: true,
    reach: (arena) => work(arena, 'stubborn', 3_000),
    codes: [143],
    twice: true,
  },
]

export const askedToStop: Scenario = {
  name: 'R11',
  promise: 'SIGTERM at every moment, and twice: ended within the deadline and a second, by the documented code',
  run: (stage) =>
    Arena.play(stage.servers, { deadline, lease: stage.form === 'test' ? 2_000 : 10_000, pollInterval: 200 }, (arena) =>
      stopAtAll(arena, stage),
    ),
}

async function stopAtAll(arena: Arena, stage: Stage): Promise<Result> {
  const chosen = stage.form === 'test' ? moments.filter(({ name }) => quick.includes(name)) : moments
  const rounds = stage.form === 'long' ? 50 : 1
  const times: number[] = []
  const ends: number[] = []
  const breaches: string[] = []
  for (const moment of Array.from({ length: rounds }, () => chosen).flat()) {
    const { took, gone, wrong } = await stopAt(moment, arena, stage)
    stage.say(`${moment.name}: stopped in ${seconds(took)}, gone in ${seconds(gone)}`)
    times.push(took)
    ends.push(gone)
    breaches.push(...wrong.map((what) => `SIGTERM when ${moment.name}: ${what}`))
  }
  await arena.start(1, { deadline: 5_000 }) // others do what was left
  await arena.finished(60_000)
  const verdict = await arena.verdict()
  return {
    breaches: [...breaches, ...verdict.breaches],
    figures: {
      moments: times.length,
      'stopped within': seconds(longest(times)),
      'gone within': seconds(longest(ends)),
      deadline: seconds(deadline),
    },
  }
}

const quick = ['starting', 'running', 'stopping: a second signal']

async function stopAt({ started, reach, heal, codes, twice }: Moment, arena: Arena, stage: Stage) {
  const hand = await arena.crew.start()
  if (started) await hand.said('started')
  await reach(arena, hand, stage)
  hand.send('SIGTERM')
  if (twice) {
    await hand.said('asked') // the two would be one, were they sent together
    hand.send('SIGTERM')
  }
  await hand.ended(deadline + 10_000)
  await heal?.(arena, stage)
  const asked = hand.askedAt ?? 0
  const gone = (hand.endedAt ?? 0) - asked
  const stopped = hand.reports.find(({ event }) => event === 'ran')
  const took = stopped === undefined ? gone : stopped.at - asked
  const wrong = [
    ...(took > promised ? [`it took ${seconds(took)}`] : []),
    ...(gone > promisedGone ? [`its process was gone after ${seconds(gone)}`] : []),
    ...(codes.includes(hand.code ?? -1) ? [] : [`the exit code was ${hand.code} (${hand.signal})`]),
  ]
  return { took, gone, wrong }
}
