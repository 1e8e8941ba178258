import { enqueue } from 'kysely-jobs'
import { Arena } from '../arena.ts'
import { type Evidence, isTakeover } from '../invariants.ts'
import { atMost, longest, type Result, type Scenario, type Stage, seconds } from '../scenario.ts'

const lease = 1_000
/** Longer than two leases, so that what is not interrupted has to renew its own. */
const timeout = 2_500
const delay = 1_500
const backoff = 100

/** The clocks of the processes and of the server are read at different moments. */
const inexact = 50
/** On a busy machine a process that is told at once still needs a moment; the clocks are days off. */
const margin = 2_000

export const jumpingClocks: Scenario = {
  name: 'R12',
  promise: 'wall clocks days off, jumping back and forth: due times, leases, fencing and timeouts do not follow',
  run: (stage) =>
    Arena.play(stage.servers, { lease, timeout, jumpingClock: true }, (arena) => letClocksJump(arena, stage)),
}

async function letClocksJump(arena: Arena, { form, say }: Stage): Promise<Result> {
  await arena.start(form === 'test' ? 2 : 3)
  const victim = arena.crew.alive[0]
  const late: string[] = []
  for (let round = 0; round < (form === 'long' ? 200 : 1); round++) {
    await arena.enqueue(4, { act: 'complete', takes: timeout * 0.85 })
    await arena.enqueue(3, { act: 'hold', takes: timeout + 500 })
    await arena.enqueue(20, { act: 'work', takes: 50 })
    await arena.atWork(7)
    if (round === 0) {
      say(`kill -9 ${victim?.pid}`)
      victim?.send('SIGKILL')
    }
    await arena.enqueue(2, { act: 'hold', takes: timeout + 500 }) // the others may have been the victim's
    const delayed = Array.from({ length: 10 }, () => ({ act: 'work', takes: 20 }) as const)
    late.push(...(await enqueue(arena.db, 'chaos_jobs', delayed, { delay })).map(({ id }) => id))
    await arena.finished(60_000)
  }
  const { breaches, evidence } = await arena.verdict()
  const waits = await overdue(arena, evidence, late)
  const { timeouts, retries } = interrupted(evidence)
  return {
    breaches: [
      ...breaches,
      ...jumped(arena),
      ...atMost(form, margin, longest(waits), 'a job with a delay began after it was due'),
      ...waits
        .filter((wait) => (wait ?? 0) < -inexact)
        .map((wait) => `a job began ${-(wait ?? 0)} ms before it was due`),
      ...atMost(form, timeout + margin, longest(timeouts), 'a timeout'),
      ...timeouts
        .filter((time) => time < timeout - inexact)
        .map((time) => `a timeout of ${timeout} ms came after ${time}`),
      ...(timeouts.length > 0 ? [] : ['no timeout was reached']),
      ...retries
        .filter((time) => time < backoff - inexact)
        .map((time) => `a retry came after ${time} ms, not ${backoff}`),
      ...atMost(form, margin, longest(retries), 'a retry'),
      ...takenFromTheLiving(evidence, victim?.pid),
    ],
    figures: {
      jobs: evidence.jobs.length,
      jumps: jumps(arena).length,
      'begun after due': seconds(longest(waits)),
      [`timeouts of ${seconds(timeout)} within`]: seconds(longest(timeouts)),
    },
  }
}

/** By how much (milliseconds) each report of a jump has the wall clock off. */
function jumps(arena: Arena): number[] {
  const reports = arena.crew.hands.flatMap(({ reports }) => reports)
  return reports.filter(({ event }) => event === 'jumped').map(({ facts, at }) => facts.clock - at)
}

/** A scenario in which no clock jumped has shown nothing. */
function jumped(arena: Arena): string[] {
  const day = 86_400_000
  const all = jumps(arena)
  return all.some((off) => off > day) && all.some((off) => off < -day) ? [] : ['the clocks did not jump both ways']
}

/** How long after its due time each of these began. */
async function overdue(arena: Arena, { deeds }: Evidence, ids: readonly string[]): Promise<(number | undefined)[]> {
  const rows = await arena.db.selectFrom('chaos_jobs').select(['id', 'run_at']).where('id', 'in', ids).execute()
  return rows.map(({ id, run_at }) => {
    const begun = deeds.find(({ job, attempt }) => job === id && attempt === 1)?.begun
    return begun === undefined ? undefined : begun - run_at.getTime()
  })
}

/** How long handlers ran until their timeout, and how long after it the next attempt began. */
function interrupted({ deeds }: Evidence): { readonly timeouts: number[]; readonly retries: number[] } {
  const timedOut = deeds.flatMap(({ job, attempt, begun, aborted, reason }) =>
    reason === 'TIMEOUT' && aborted !== null ? [{ job, attempt, begun, aborted }] : [],
  )
  return {
    timeouts: timedOut.map(({ begun, aborted }) => aborted - begun),
    retries: timedOut.flatMap(({ job, attempt, aborted }) => {
      const next = deeds.find((deed) => deed.job === job && deed.attempt === attempt + 1)
      return next === undefined ? [] : [next.begun - aborted]
    }),
  }
}

/** Leases were renewed in time, whatever their process took for the time. */
function takenFromTheLiving({ moves, workers }: Evidence, dead: number | undefined): string[] {
  const pidOf = new Map(workers.map(({ worker, pid }) => [worker, pid]))
  return moves
    .filter((move) => isTakeover(move) && pidOf.get(move.holder ?? '') !== dead)
    .map(({ job_id, holder }) => `job ${job_id} was taken from ${holder}, which was alive`)
}
