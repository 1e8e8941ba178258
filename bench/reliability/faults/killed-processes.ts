import { setTimeout as sleep } from 'node:timers/promises'
import { epoch } from '../../../test/chaos/witness.ts'
import { type Fault, type Figures, standing, within } from '../figures.ts'
import { type Play, Trial } from '../trial.ts'

const jobs = 1_000
const kills = 4
/** How long after the last kill we look. */
const limit = 20_000

export const killedProcesses: Fault = {
  name: 'R1',
  what: `kill -9 of one of 4 processes every 2 to 3 s, ${kills} times; ${jobs} jobs of 0.4 s; expiry 3 s`,
  play: (play) => Trial.hold(play, {}, (trial) => killNowAndThen(trial, play)),
}

async function killNowAndThen(trial: Trial, { random, say }: Play): Promise<Figures> {
  await trial.enqueue(jobs, 'work', 400)
  await trial.crew.start(4)
  const victims: { readonly pid: number; readonly at: number }[] = []
  for (let kill = 0; kill < kills; kill++) {
    await sleep(random.between(2_000, 3_000))
    const victim = random.pick(trial.crew.alive)
    say(`kill -9 ${victim.pid}`)
    victim.send('SIGKILL')
    victims.push({ pid: victim.pid, at: epoch() })
  }
  await trial.finished(limit)
  const deeds = await trial.deeds()
  const waits = victims.flatMap(({ pid, at }) =>
    deeds
      .filter((deed) => deed.pid === pid && deed.ended === null)
      .map(({ job, attempt }) => deeds.find((next) => next.job === job && next.attempt > attempt))
      .map((next) => (next === undefined ? undefined : next.begun - at)),
  )
  const again = waits.filter((wait) => wait !== undefined)
  return {
    [`jobs, at most ${limit / 1000} s after the last kill`]: standing(await trial.counts()),
    'interrupted jobs that ran again': `${again.length} of ${waits.length}`,
    'longest wait of one that did': within(limit, again.length > 0 ? Math.max(...again) : undefined),
  }
}
