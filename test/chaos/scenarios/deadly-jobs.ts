import { setTimeout as sleep } from 'node:timers/promises'
import { Arena } from '../arena.ts'
import type { Hand } from '../crew.ts'
import { type Evidence, isTakeover } from '../invariants.ts'
import type { Result, Scenario, Stage } from '../scenario.ts'
import type { Act, Move } from '../tables.ts'

const deadly = ['exit', 'exhaust', 'crash'] as const satisfies Act[]

const isDeadly = (act: string) => deadly.some((one) => one === act)

const amounts = {
  test: { kinds: ['exit'], waves: 1, processes: 2, maxAttempts: 2, lease: 1_500 },
  short: { kinds: deadly, waves: 1, processes: 3, maxAttempts: 3, lease: 2_000 },
  long: { kinds: deadly, waves: 100, processes: 4, maxAttempts: 4, lease: 3_000 },
} as const

export const deadlyJobs: Scenario = {
  name: 'R8',
  promise: 'jobs that kill their process amid good ones: they fail and say so, no other loses more than one attempt',
  // each kind by itself: beside one that kills for the first time nobody can be kept safe
  async run(stage) {
    const { kinds, lease, maxAttempts } = amounts[stage.form]
    const settings = { lease, maxAttempts, pollInterval: 200, concurrency: 8, heap: 64 }
    const results = await Promise.all(
      kinds.map((act) => Arena.play(stage.servers, settings, (arena) => killFromWithin(arena, stage, act))),
    )
    return { breaches: results.flatMap(({ breaches }) => breaches), figures: sums(results) }
  },
}

function sums(results: readonly Result[]): Result['figures'] {
  const names = Object.keys(results[0]?.figures ?? {})
  const sum = (name: string) => results.reduce((all, { figures }) => all + Number(figures[name]), 0)
  return Object.fromEntries(names.map((name) => [name, sum(name)]))
}

async function killFromWithin(arena: Arena, stage: Stage, act: Act): Promise<Result> {
  const { waves, processes } = amounts[stage.form]
  let over = false
  const supervisors = Array.from({ length: processes }, () => supervise(arena, () => over))
  for (let wave = 0; wave < waves; wave++) {
    stage.say(`${act} amid 50 good jobs, and more of those all the time`)
    await arena.enqueue(25, { act: 'work', takes: 40 })
    await arena.enqueue(1, { act, takes: stage.random.below(30) })
    await arena.enqueue(25, { act: 'work', takes: 40 })
    await untilThoseAreFinal(arena, () => arena.enqueue(2, { act: 'work', takes: 40 }))
  }
  await arena.finished(30_000)
  over = true
  await sayWhoDied(arena)
  const { breaches, evidence } = await arena.verdict()
  await Promise.all(supervisors)
  return judge(arena, breaches, evidence)
}

/** Starts a process, and a new one whenever it dies. */
async function supervise(arena: Arena, over: () => boolean): Promise<void> {
  while (!over()) {
    const hand = await arena.crew.start().catch(() => undefined) // died before it could say a word
    await hand?.ended(600_000)
  }
}

/** While there is steady work. */
async function untilThoseAreFinal(arena: Arena, work: () => Promise<unknown>): Promise<void> {
  const left = arena.db
    .selectFrom('chaos_jobs')
    .select('id')
    .where('act', 'in', deadly)
    .where('status', '<>', 'job_status_failed')
  for (const end = performance.now() + 60_000; performance.now() < end; await sleep(50)) {
    if ((await left.execute()).length === 0) return
    await work()
  }
}

/** Of a process in which a deadly job was begun it is no breach to have ended; a full heap blocks it for a while before. */
async function sayWhoDied(arena: Arena): Promise<void> {
  const jobs = await arena.db.selectFrom('chaos_jobs').select('id').where('act', 'in', deadly).execute()
  const ids = jobs.map(({ id }) => id)
  const deeds = await arena.witness.selectFrom('deeds').select(['pid', 'begun']).where('job', 'in', ids).execute()
  for (const hand of arena.crew.hands) {
    const begun = deeds.filter(({ pid }) => pid === hand.pid).map(({ begun }) => begun)
    hand.deadly = begun.length > 0
    if (hand.deadly) hand.silences.push({ pid: hand.pid, since: Math.min(...begun), until: Number.POSITIVE_INFINITY })
  }
}

function judge(arena: Arena, broken: readonly string[], { jobs, moves, workers }: Evidence): Result {
  const { maxAttempts } = arena.settings
  // on a busy machine a process that lives may stand still for longer than its lease
  const dead = new Set(arena.crew.hands.filter(diedByItself).map(({ pid }) => pid))
  const gone = new Set(workers.filter(({ pid }) => dead.has(pid)).map(({ worker }) => worker))
  const taken = moves.filter((move) => isTakeover(move) && gone.has(move.holder ?? '') && counts(move))
  const lost = Map.groupBy(taken, ({ job_id }) => job_id)
  const lossesOf = (id: string) => lost.get(id)?.length ?? 0
  const killers = jobs.filter(({ act }) => isDeadly(act))
  const innocents = jobs.filter(({ act }) => !isDeadly(act))
  const wrong = killers.filter(({ status, attempts_count: attempts, last_error: said }) => {
    return status !== 'job_status_failed' || attempts !== maxAttempts || !tells.test(said ?? '')
  })
  const hurt = innocents.filter(({ id, status }) => status !== 'job_status_succeeded' || lossesOf(id) > 1)
  return {
    breaches: [
      ...broken,
      ...wrong.map(({ id, act, status, last_error }) => `${act} job ${id}: ${status}, ${last_error}`),
      ...hurt.map(({ id, status }) => `job ${id} lost ${lossesOf(id)} attempts to others, and ended as ${status}`),
      // a scenario in which nobody was hurt has shown nothing
      ...(innocents.some(({ id }) => lossesOf(id) === 1) ? [] : ['no job was beside a deadly one']),
    ],
    figures: {
      'deadly jobs': killers.length,
      'processes killed': dead.size,
      'good jobs': innocents.length,
      'lost one attempt': innocents.filter(({ id }) => lossesOf(id) === 1).length,
      'lost more': innocents.filter(({ id }) => lossesOf(id) > 1).length,
    },
  }
}

/** Whether an interruption took an attempt: the second in a row does not, as it can't be known who ended the process. */
const counts = ({ last_error }: Move) => !last_error?.includes('the attempt does not count')

/** What a row says of a job that killed each of its workers. */
const tells = /^Lease expired \(\d+ in a row\): worker \S+ stopped renewing it during attempt \d+; it was killed/

const diedByItself = ({ askedAt, endedAt }: Hand) => askedAt === undefined && endedAt !== undefined
