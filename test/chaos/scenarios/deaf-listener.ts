import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import { type PgBouncer, startPgBouncer, withoutPgBouncer } from '../../support/pgbouncer.ts'
import { Arena } from '../arena.ts'
import type { Hand } from '../crew.ts'
import type { ProbeTimes } from '../probes.ts'
import { atMost, type Form, longest, type Result, type Scenario, type Stage, seconds } from '../scenario.ts'
import { epoch } from '../witness.ts'
import { promotedStandby } from './promoted-standby.ts'

/** How a listener is probed where its fault is to be noticed as users would: in the long form by our own times. */
const probes: Record<Form, ProbeTimes> = {
  test: { period: 500, patience: 300 },
  short: { period: 7_500, patience: 5_000 },
  long: { period: 15_000, patience: 5_000 },
}

/** On a busy machine what is due still needs a moment. */
const margin = 1_000
/** How soon after it was noticed another subscriber hears. */
const promised = 2_000

const settings = {
  test: { lease: 3_000, pollInterval: 500 },
  short: { lease: 10_000, pollInterval: 2_000 },
  long: { lease: 10_000, pollInterval: 2_000 },
} as const

/** What makes a listener deaf: its pool has another way, and hears nothing of it. */
interface Deafness {
  readonly name: string
  /** What the worker says then. */
  readonly state: 'deaf' | 'connecting'
  /** It is probed as users have it; the others quickly. */
  readonly patiently?: true
  /** It is so from the beginning. */
  prepare?(arena: Arena): Promise<PgBouncer>
  strike(arena: Arena): Promise<unknown>
}

const pooled = 'transaction-mode pooler'
const unlisten = 'UNLISTEN behind its back'

const faults: readonly Deafness[] = [
  {
    name: unlisten,
    state: 'deaf',
    patiently: true,
    strike: ({ proxy }) => proxy.say('unlisten *', (statement) => statement.startsWith('LISTEN')),
  },
  {
    name: 'backend terminated',
    state: 'connecting',
    strike: ({ db }) =>
      sql`select pg_terminate_backend(pid) from pg_stat_activity
        where application_name = 'kysely-jobs listener' and datname = current_database()`.execute(db),
  },
  { name: 'peer gone without a word', state: 'deaf', strike: async ({ proxy }) => proxy.halfOpen() },
  {
    name: pooled,
    state: 'deaf',
    prepare: async ({ proxy, directUrl }) => {
      const pooler = await startPgBouncer(directUrl, 5)
      proxy.leadTo(pooler.url)
      return pooler
    },
    strike: async () => {},
  },
]

export const deafListener: Scenario = {
  name: 'R6',
  promise: 'a listener that hears nothing is noticed by its probe, said so and replaced; polling covers meanwhile',
  async run(stage) {
    if (stage.form !== 'test') return joined(await Promise.all([deafenAll(stage, faults), promotedStandby(stage)]))
    return deafenAll(
      stage,
      faults.filter(({ name }) => name === unlisten),
    )
  },
}

/** All at once, each with a database of its own: they wait more than they do. */
async function deafenAll(stage: Stage, chosen: readonly Deafness[]): Promise<Result> {
  const possible = chosen.filter(({ name }) => name !== pooled || withoutPgBouncer === undefined)
  if (possible.length < chosen.length) stage.say(`${pooled}: ${withoutPgBouncer}`)
  const runs = possible.map((fault) => {
    return Arena.play(stage.servers, settings[stage.form], (arena) => deafenAgain(arena, stage, fault))
  })
  const results = await Promise.all(runs)
  return {
    breaches: results.flatMap(({ breaches }) => breaches),
    figures: {
      ...Object.fromEntries(results.map(({ name, noticed }) => [name, `noticed within ${seconds(noticed)}`])),
      ...(possible.length < chosen.length && { [pooled]: 'skipped' }),
      'a job by polling within': seconds(longest(results.map(({ polled }) => polled))),
      'another subscriber within': seconds(longest(results.map(({ replaced }) => replaced))),
      'a job by notification within': seconds(longest(results.map(({ heard }) => heard))),
    },
  }
}

interface Course {
  readonly noticed: number | undefined
  readonly polled: number | undefined
  readonly replaced: number | undefined
  readonly heard: number | undefined
}

async function deafenAgain(arena: Arena, stage: Stage, fault: Deafness) {
  const pooler = await fault.prepare?.(arena)
  try {
    const hand = await arena.crew.start({
      url: arena.directUrl,
      listenUrl: arena.proxy.url,
      probes: probesOf(fault, stage.form),
    })
    const started = await hand.said('started')
    if (pooler === undefined) await hand.saidOfListener('listening', 0, 30_000)
    const courses: Course[] = []
    for (let round = 0; round < (stage.form === 'long' && pooler === undefined ? 50 : 1); round++)
      courses.push(await deafen(arena, stage, fault, hand, pooler && started.at))
    const verdict = await arena.verdict()
    const worst = (part: keyof Course) => longest(courses.map((course) => course[part]))
    const course = {
      noticed: worst('noticed'),
      polled: worst('polled'),
      replaced: worst('replaced'),
      heard: worst('heard'),
    }
    return { ...course, name: fault.name, breaches: [...late(course, stage.form, fault), ...verdict.breaches] }
  } finally {
    await pooler?.stop()
  }
}

/** @param struck since when its listener is deaf, where it already is */
async function deafen(arena: Arena, { say }: Stage, fault: Deafness, hand: Hand, struck = epoch()): Promise<Course> {
  await fault.strike(arena)
  say(fault.name)
  let over = false
  const noticing = hand.saidOfListener(fault.state, struck, 60_000).finally(() => {
    over = true
  })
  const polls: (number | undefined)[] = []
  while (!over) polls.push(await waitOfOneJob(arena))
  const noticed = await noticing
  say(`${fault.name}: noticed after ${seconds(noticed)}`)
  arena.proxy.leadTo(arena.directUrl)
  const since = struck + (noticed ?? 0)
  const replaced = await hand.saidOfListener('listening', since, 30_000)
  const waits = [await waitOfOneJob(arena), await waitOfOneJob(arena), await waitOfOneJob(arena)]
  return { noticed, polled: longest(polls), replaced, heard: longest(waits) }
}

function probesOf({ patiently }: Deafness, form: Form): ProbeTimes {
  return probes[patiently ? form : 'test']
}

/** What came later than promised. */
function late({ noticed, polled, replaced, heard }: Course, form: Form, fault: Deafness): string[] {
  const { pollInterval } = settings[form]
  const { period, patience } = probesOf(fault, form)
  const noticing = (fault.state === 'deaf' ? 2 * period + 2 * patience : 0) + margin
  return [
    ...atMost(form, noticing, noticed, `${fault.name} was noticed`),
    ...atMost(form, pollInterval * 1.1 + margin, polled, `a job began, unheard after ${fault.name}`),
    ...atMost(form, promised, replaced, `another subscriber listened after ${fault.name}`),
    // sooner than polling would have found all of them
    ...atMost(form, pollInterval / 2, heard, `a job that was heard of began after ${fault.name}`),
  ]
}

/** How long a job waits for its handler; undefined where it waits for much longer than anything takes. */
async function waitOfOneJob(arena: Arena): Promise<number | undefined> {
  const since = epoch()
  const [job = ''] = await arena.enqueue(1, { act: 'work', takes: 10 })
  const deed = arena.witness.selectFrom('deeds').select('begun').where('job', '=', job)
  for (; epoch() - since < 30_000; await sleep(10)) {
    const begun = (await deed.executeTakeFirst())?.begun
    if (begun !== undefined) return begun - since
  }
  return undefined
}

function joined(results: readonly Result[]): Result {
  return {
    breaches: results.flatMap(({ breaches }) => breaches),
    figures: Object.assign({}, ...results.map(({ figures }) => figures)),
  }
}
