import { setTimeout as sleep } from 'node:timers/promises'
import { Arena } from '../arena.ts'
import { type Evidence, isTakeover } from '../invariants.ts'
import { atMost, longest, type Result, type Scenario, type Stage, seconds } from '../scenario.ts'
import { epoch } from '../witness.ts'

/** On a busy machine a process that is told at once still needs a moment. */
const margin = 1_000

const amounts = {
  test: { jobs: 150, takes: 60, every: [700, 1_000] },
  short: { jobs: 3_000, takes: 200, every: [2_000, 4_000] },
  long: { jobs: 60_000, takes: 400, every: [1_000, 6_000] },
} as const

export const killedProcesses: Scenario = {
  name: 'R1',
  promise: 'kill -9 of one of 4 processes every few seconds: all jobs final, the interrupted ones run again in time',
  run: (stage) => Arena.play(stage.servers, {}, (arena) => killNowAndThen(arena, stage)),
}

async function killNowAndThen(arena: Arena, { random, form, say }: Stage): Promise<Result> {
  const { jobs, takes, every } = amounts[form]
  await arena.enqueue(jobs, { act: 'work', takes })
  await arena.start(form === 'test' ? 2 : 4)
  let over = false
  const finished = arena.finished(form === 'long' ? 3_600_000 : 120_000).then(() => {
    over = true
  })
  const kills: { readonly pid: number; readonly at: number }[] = []
  for (;;) {
    await Promise.race([finished, sleep(random.between(every[0], every[1]))])
    if (over) break
    const victim = random.pick(arena.crew.alive)
    say(`kill -9 ${victim.pid}`)
    victim.send('SIGKILL')
    kills.push({ pid: victim.pid, at: epoch() })
    await arena.start(1)
  }
  const { breaches, evidence } = await arena.verdict()
  const waits = waitsOf(evidence, new Map(kills.map(({ pid, at }) => [pid, at])))
  const { lease } = arena.settings
  const limit = lease + lease / 3 + margin
  return {
    breaches: [...breaches, ...atMost(form, limit, longest(waits), 'an interrupted job ran again')],
    figures: { jobs, kills: kills.length, interrupted: waits.length, 'ran again within': seconds(longest(waits)) },
  }
}

/**
 * How long each job that a killed process held, begun or not, waited for its next handler; or for its next claim, where
 * that was by a process that was killed before it came to the job.
 */
function waitsOf({ deeds, moves, workers }: Evidence, killedAt: ReadonlyMap<number, number>): (number | undefined)[] {
  const pidOf = new Map(workers.map(({ worker, pid }) => [worker, pid]))
  const takeovers = moves.filter(isTakeover)
  return takeovers.flatMap(({ job_id, holder, at }) => {
    const killed = killedAt.get(pidOf.get(holder ?? '') ?? 0)
    if (killed === undefined) return []
    const begun = deeds.find((deed) => deed.job === job_id && deed.begun > at)?.begun
    const next = takeovers.find((move) => move.job_id === job_id && move.at > at)
    const claimed = next && next.at - (next.unrenewed ?? 0)
    const again = Math.min(begun ?? Number.POSITIVE_INFINITY, claimed ?? Number.POSITIVE_INFINITY)
    return [Number.isFinite(again) ? again - killed : undefined]
  })
}
