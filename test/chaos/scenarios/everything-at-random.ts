import { setTimeout as sleep } from 'node:timers/promises'
import type { Kysely } from 'kysely'
import { enqueue } from 'kysely-jobs'
import { createMailJobs } from '../../queue/mail-jobs.ts'
import { checkModel } from '../../queue/model/check.ts'
import { Arena } from '../arena.ts'
import { allFaults, type Broken, type Fault, startAnother, type Victims } from '../faults.ts'
import { type Evidence, isTakeover } from '../invariants.ts'
import { type Random, seeded } from '../random.ts'
import type { Form, Result, Scenario, Stage } from '../scenario.ts'

interface Amount {
  readonly jobs: number
  readonly faults: number
  readonly processes: number
  /** Handlers at work in each process. */
  readonly concurrency: number
  /** How often the verbs are played against their model before; a test of its own does where there are none. */
  readonly plays: number
}

const amounts: Readonly<Record<Form, Amount>> = {
  test: { jobs: 80, faults: 4, processes: 2, concurrency: 8, plays: 0 },
  short: { jobs: 1_500, faults: 15, processes: 3, concurrency: 8, plays: 25 },
  long: { jobs: 1_000_000, faults: 500, processes: 4, concurrency: 16, plays: 5_000 },
}

/** Longer than any fault, or several at once, can keep all from working. */
const longestHalt = 60_000

export const everythingAtRandom: Scenario = {
  name: 'R15',
  promise: 'everything at random: processes, network, server and hands fail at once, and all of the above holds',
  async run(stage) {
    const { concurrency } = amounts[stage.form]
    return Arena.play(stage.servers, { concurrency, brief: true }, (arena) => breakEverything(arena, stage))
  },
}

async function breakEverything(arena: Arena, stage: Stage): Promise<Result> {
  const { jobs, faults, processes, plays } = amounts[stage.form]
  const rounds = plays === 0 ? 0 : await playTheModel(arena, plays, stage)
  const victims = { arena, server: stage.server, random: stage.random, deleted: new Set<string>() }
  const enqueued = new Set<string>()
  await Promise.all(Array.from({ length: processes }, () => startAnother(victims)))
  const breaking = new Breaking(victims, stage)
  for (let struck = 0; struck < faults; struck++) {
    await enqueueSome(victims, jobs / faults, enqueued)
    breaking.strike()
  }
  await breaking.over()
  arena.proxy.heal()
  stage.say('all is whole again')
  await arena.finished(longestHalt)
  const seen = { jobs: 0, attempts: 0, takeovers: 0 }
  const breaches = await arena.verdictInParts(({ jobs, deeds, moves }: Evidence) => {
    seen.jobs += jobs.length
    seen.attempts += deeds.length
    seen.takeovers += moves.filter(isTakeover).length
    for (const { id } of jobs) enqueued.delete(id)
  })
  const lost = [...enqueued].filter((id) => !victims.deleted.has(id)).map((id) => `job ${id} is gone`)
  return {
    breaches: [...breaches, ...lost],
    figures: {
      'rounds of the model': rounds,
      ...seen,
      faults,
      kinds: breaking.kinds.size,
      'gone amiss': breaking.amiss,
    },
  }
}

/** The verbs of the queue, several at once, each job by the model of DESIGN section 2. */
async function playTheModel(arena: Arena, plays: number, { random, say }: Stage): Promise<number> {
  const seed = random.below(2 ** 31)
  say(`the verbs against their model, ${plays} plays (seed ${seed})`)
  await createMailJobs(arena.db as Kysely<any>) // a table of its own, unknown to the other tables' types
  return checkModel(arena.directUrl, { plays, seed })
}

/** Breaks one thing after the other, each in its turn for what it breaks. */
class Breaking {
  readonly kinds = new Set<string>()
  /** Faults that could not be done: the server was away, say. */
  amiss = 0
  readonly #victims: Victims
  readonly #stage: Stage
  readonly #turns = new Map<Broken, Promise<void>>()

  constructor(victims: Victims, stage: Stage) {
    this.#victims = victims
    this.#stage = stage
  }

  /** All is drawn now, so that a seed gives the same faults, whatever takes how long. */
  strike(): void {
    const { form, random } = this.#stage
    // the server of a test form is that of other tests too
    const all = (Object.keys(allFaults) as Broken[]).filter((broken) => form !== 'test' || broken !== 'ofTheServer')
    const broken = random.pick(all)
    const [name, fault] = random.pick(Object.entries(allFaults[broken]))
    const own = seeded(random.below(2 ** 32))
    const turn = this.#turns.get(broken) ?? Promise.resolve()
    this.#turns.set(
      broken,
      turn.then(() => this.#do(name, fault, own)),
    )
  }

  async over(): Promise<void> {
    await Promise.all(this.#turns.values())
  }

  async #do(name: string, fault: Fault, random: Random): Promise<void> {
    this.#stage.say(name)
    this.kinds.add(name)
    await fault({ ...this.#victims, random }).catch((error: Error) => {
      this.amiss++
      this.#stage.say(`${name}: ${error.message}`)
    })
  }
}

/** Jobs of all kinds; when few of those before are left, so that they are enqueued as fast as they are done. */
async function enqueueSome({ arena, random }: Victims, count: number, enqueued: Set<string>): Promise<void> {
  const { lease } = arena.settings
  const jobs = Array.from({ length: count }, () => randomJob(random, lease))
  const end = performance.now() + longestHalt
  while (((await arena.unfinished()) ?? count) >= count) {
    if (performance.now() > end) throw new Error(`for ${longestHalt / 1_000} s hardly a job was done`)
    await sleep(50)
  }
  const inserted = await enqueue(arena.db, 'chaos_jobs', jobs).catch(() => []) // told, so nobody counts on them
  for (const { id } of inserted) enqueued.add(id)
}

/** Most take no time; a few outlive a lease, or do not hear their signal. */
function randomJob(random: Random, lease: number) {
  const dice = random.below(1_000)
  if (dice < 20) return { act: 'stubborn', takes: random.below(lease * 1.2) } as const
  if (dice < 25) return { act: 'block', takes: random.below(lease / 5) } as const
  if (dice < 100) return { act: 'complete', takes: random.below(100) } as const
  return { act: 'work', takes: random.below(60) } as const
}
