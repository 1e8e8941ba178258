import { setTimeout as sleep } from 'node:timers/promises'
import type { Fault, Figures } from '../figures.ts'
import { type Play, Trial } from '../trial.ts'

const jobs = 4

export const stoppedClocks: Fault = {
  name: 'R4',
  what: `SIGSTOP in ${jobs} jobs until another process has begun them again (expiry 3 s), then SIGCONT`,
  play: (play) => Trial.hold(play, { maxAttempts: 5 }, (trial) => stopTheClock(trial, play)),
}

async function stopTheClock(trial: Trial, { say }: Play): Promise<Figures> {
  const [victim] = await trial.crew.start(1)
  const keys = await trial.enqueue(jobs, 'late', 500)
  await trial.begun(keys, 1)
  say(`SIGSTOP ${victim?.pid}`)
  victim?.send('SIGSTOP')
  await trial.crew.start(1)
  await trial.age()
  const again = await trial.begun(keys, 2)
  victim?.send('SIGCONT')
  say('SIGCONT')
  if (!again) return { 'late outcomes': 'none: no job ran again' }
  while ((await trial.deeds()).filter(({ attempt, ended }) => attempt === 1 && ended !== null).length < jobs)
    await sleep(20)
  await sleep(500) // an outcome is written a moment after its handler's end
  // of those alone whose next attempt goes on: what that has ended is done by right
  const next = (await trial.deeds()).filter(({ attempt, ended }) => attempt === 2 && ended === null)
  const { done } = await trial.counts(next.map(({ job }) => job))
  await trial.finished(15_000)
  return {
    'late outcomes that ended a job while its next attempt ran': `${done} of ${next.length}`,
  }
}
