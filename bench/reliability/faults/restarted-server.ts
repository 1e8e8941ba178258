import { setTimeout as sleep } from 'node:timers/promises'
import { epoch } from '../../../test/chaos/witness.ts'
import { type Fault, type Figures, standing, within } from '../figures.ts'
import { type Play, Trial } from '../trial.ts'

const faults = {
  'restart, fast': (_trial: Trial, { server }: Play) => server.halt('fast'),
  'restart, immediate': (_trial: Trial, { server }: Play) => server.halt('immediate'),
  'kill -9 of a backend': async (trial: Trial) => {
    process.kill(await trial.backend(), 'SIGKILL')
    await sleep(20) // the postmaster takes all others down before it starts anew
    while ((await trial.rows()) === undefined) await sleep(5)
  },
  'kill -9 of the postmaster': (_trial: Trial, { server }: Play) => server.halt('kill'),
} as const

const limit = 25_000
const settles = 15_000

export const restartedServer: Fault = {
  name: 'R2',
  what: 'the server restarts, or loses a backend or its postmaster, under 4 processes; expiry 5 s',
  play: (play) => Trial.hold(play, { expiry: 5_000 }, (trial) => restartAgainAndAgain(trial, play)),
}

async function restartAgainAndAgain(trial: Trial, play: Play): Promise<Figures> {
  await trial.crew.start(4)
  const figures: Record<string, string> = {}
  for (const [name, strike] of Object.entries(faults)) {
    const keys = await trial.enqueue(200, 'work', 80)
    await trial.begun(keys, 1, 40)
    play.say(name)
    await strike(trial, play)
    await play.server.resume()
    const { first, all } = await trial.backAtWork(epoch(), limit)
    figures[`first job, and each process' first, after ${name}`] = `${within(limit, first)}, ${within(limit, all)}`
  }
  await trial.finished(settles)
  return {
    'processes that ended by themselves': trial.crew.deserters,
    ...figures,
    [`jobs, ${settles / 1000} s after the last at most`]: standing(await trial.counts()),
  }
}
