import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { startProxy } from '../../support/proxy.ts'
import { checkInvariants, isTakeover } from '../invariants.ts'
import { Course, maxAttempts } from '../messages/course.ts'
import { amiss, lease } from '../messages/errands.ts'
import { type Lane, openLane } from '../messages/lane.ts'
import { Load } from '../messages/load.ts'
import { frozenFor, nameOf, type Point, pointsOf, Recording, Strike } from '../messages/point.ts'
import { atMost, type Form, longest, type Result, type Scenario, type Stage, seconds } from '../scenario.ts'

/** How much is played. */
interface Extent {
  /** Databases at once. */
  readonly lanes: number
  /** Courses without a fault: what all of them said is played. */
  readonly recordings: number
  /** How many occurrences of one text. */
  readonly occurrences: number
  readonly plays: number
  /** What share of the points must be hit: where all is slow, what a play says differs from what was recorded. */
  readonly leastHit: number
}

const extents: Record<Form, Extent> = {
  test: { lanes: 2, recordings: 1, occurrences: 1, plays: 5, leastHit: 0.5 }, // other tests run beside it
  short: { lanes: 12, recordings: 3, occurrences: 2, plays: Number.POSITIVE_INFINITY, leastHit: 0.8 },
  long: { lanes: 12, recordings: 3, occurrences: 20, plays: Number.POSITIVE_INFINITY, leastHit: 0.8 },
}

/** How long (milliseconds) after one lane the next begins. */
const apart = 150

/** How soon what was cut must go on: a freeze, a lease, a rescue, and as much as after a lost network. */
const promised = frozenFor + lease * (4 / 3) + 2_000

export const everyMessage: Scenario = {
  name: 'R16',
  promise: 'every message of every connection is cut or frozen, before it and after it: all of the above',
  async run(stage) {
    const extent = extents[stage.form]
    const lanes = await Promise.all(Array.from({ length: extent.lanes }, () => openLane(stage.servers.faulty)))
    const load = new Load()
    const strays = strayErrors()
    try {
      const plays = await playAll(lanes, stage, load)
      return resultOf(plays, stage.form, strays.seen)
    } finally {
      strays.end()
      load.end()
      await Promise.all(lanes.map((lane) => lane.drop()))
    }
  },
}

interface Play {
  readonly hit: boolean
  readonly takeovers: number
  /** How much longer (milliseconds) the stop took than promised. */
  readonly stopLate: number
  /** How long (milliseconds) the part of the course took that took longest. */
  readonly slowest: number
  readonly breaches: readonly string[]
}

interface Plays {
  readonly recorded: readonly Play[]
  readonly struck: readonly Play[]
}

async function playAll(lanes: readonly Lane[], stage: Stage, load: Load): Promise<Plays> {
  const { occurrences, plays, recordings: count } = extents[stage.form]
  const recordings: Recording[] = []
  const recorded = await Promise.all(
    lanes.slice(0, count).map((lane) => {
      return play(lane, load, undefined, (recording) => recordings.push(recording))
    }),
  )
  const points = mixed(pointsOf(recordings, occurrences), stage.random).slice(0, plays)
  stage.say(`${points.length} points`)
  const waiting = [...points]
  const struck: Play[] = []
  let ended = Promise.withResolvers<void>()
  const work = async (lane: Lane, place: number) => {
    await sleep(place * apart)
    for (let point = waiting.shift(); point !== undefined; point = waiting.shift()) {
      const played = await play(lane, load, point).catch(thrown(point))
      struck.push(played)
      ended.resolve()
      ended = Promise.withResolvers()
      for (const breach of played.breaches) stage.say(breach)
      if (struck.length % 100 === 0) stage.say(`${struck.length} played`)
      // Leases of a second are lost where this process or the server is late: fewer play then, the first of them always.
      while (place > 0 && load.isTooMuch && waiting.length > 0) await ended.promise
    }
  }
  await Promise.all(lanes.map(work))
  return { recorded, struck }
}

/** Plays the course once, under fault at a point where there is one. */
async function play(
  lane: Lane,
  load: Load,
  point: Point | undefined,
  recorded: (recording: Recording) => void = () => {},
): Promise<Play> {
  await lane.reset()
  const proxy = await startProxy(lane.url)
  try {
    if (point === undefined) recorded(new Recording(proxy))
    const strike = point && new Strike(proxy, point)
    const course = new Course(lane, proxy, strike, load)
    await course.run(point?.fault === 'all frozen, then healed')
    const evidence = await lane.evidence()
    const facts = { deeds: course.deeds.all, workers: course.workers, complaints: [], maxAttempts, lease }
    const silences = load.silencesOf(course.workers.map(({ pid }) => pid))
    const wrong = [...course.breaches, ...amiss(evidence.jobs), ...checkInvariants({ ...evidence, ...facts, silences })]
    return {
      hit: strike?.hit ?? true,
      takeovers: evidence.moves.filter(isTakeover).length,
      stopLate: course.stopLate,
      slowest: course.slowest,
      breaches: wrong.map((what) => `${point ? nameOf(point) : 'without a fault'}: ${what}`),
    }
  } finally {
    proxy.close()
  }
}

/** What a play throws is a breach like any other. */
function thrown(point: Point): (error: unknown) => Play {
  return (error) => {
    const what = error instanceof Error ? error.stack : error
    return { hit: true, takeovers: 1, stopLate: 0, slowest: 0, breaches: [`${nameOf(point)}: ${what}`] }
  }
}

function resultOf({ recorded, struck }: Plays, form: Form, strays: readonly string[]): Result {
  const hit = struck.filter((play) => play.hit)
  const missed = hit.length < struck.length * extents[form].leastHit
  const slowest = longest(struck.map(({ slowest }) => slowest))
  const stops = longest(struck.map(({ stopLate }) => stopLate))
  const sum = struck.reduce((sum, { takeovers }) => sum + takeovers - 1, 0) // each has the orphan's
  return {
    breaches: [
      ...(missed ? [`only ${hit.length} of ${struck.length} points were hit`] : []),
      ...atMost(form, 500, stops, 'after its deadline and a second, a stop went on for'),
      ...atMost(form, promised, slowest, 'jobs were final'),
      ...strays,
      ...[...recorded, ...struck].flatMap(({ breaches }) => breaches),
    ],
    figures: {
      points: struck.length,
      hit: hit.length,
      'taken over': sum,
      'final within': seconds(slowest),
    },
  }
}

/** What nobody caught: in a program of a user's it would have ended the process. */
function strayErrors() {
  const seen: string[] = []
  const hear = (error: unknown) => void seen.push(`nobody caught: ${error instanceof Error ? error.stack : error}`)
  process.on('uncaughtException', hear).on('unhandledRejection', hear)
  const end = () => void process.off('uncaughtException', hear).off('unhandledRejection', hear)
  return { seen, end }
}

/**
 * In an order that looks random, each fault in its turn. The same for the same seed: one text more in a recording moves no
 * other point.
 */
function mixed(points: readonly Point[], { below }: Stage['random']): Point[] {
  const salt = below(2 ** 32)
  const rankOf = (point: Point) =>
    createHash('md5')
      .update(`${salt} ${JSON.stringify(point)}`)
      .digest('hex')
  const ranked = points.map((point) => ({ point, rank: rankOf(point) })).toSorted((a, b) => (a.rank < b.rank ? -1 : 1))
  const byFault = [...Map.groupBy(ranked, ({ point }) => point.fault).values()]
  const turns = byFault.flatMap((ofFault) => ofFault.map(({ point }, turn) => ({ point, turn })))
  return turns.toSorted((a, b) => a.turn - b.turn).map(({ point }) => point)
}
