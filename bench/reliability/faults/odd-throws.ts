import { type Fault, type Figures, standing } from '../figures.ts'
import type { Act } from '../peer.ts'
import { type Row, Trial } from '../trial.ts'

const thrown: readonly Act[] = ['throw undefined', 'throw a circle', 'throw a NUL', 'throw 10 MB']
/** How long we wait for a job to become final. */
const limit = 12_000
const floats = 25_000

export const oddThrows: Fault = {
  name: 'R9',
  what:
    'handlers that throw anything (expiry 9 s) or never settle (timeout 2 s where there is one), one after the other, ' +
    '1 attempt; one that leaves a rejection floating amid 7 good ones (expiry 3 s, 3 attempts)',
  async play(play) {
    return {
      ...(await Trial.hold(play, { maxAttempts: 1, expiry: 9_000 }, (trial) => runEach(trial, thrown))),
      ...(await Trial.hold(play, { maxAttempts: 1, timeout: 2_000 }, (trial) => runEach(trial, ['never settle']))),
      ...(await Trial.hold(play, { maxAttempts: 3 }, leaveOneFloating)),
    }
  },
}

async function runEach(trial: Trial, acts: readonly Act[]): Promise<Figures> {
  await trial.crew.start(1)
  const figures: Record<string, string> = {}
  for (const act of acts) {
    const before = trial.crew.deserters
    const keys = await trial.enqueue(1, act, 0)
    await trial.begun(keys, 1)
    await trial.finished(limit, keys)
    const rows = await trial.rows(keys)
    figures[act] = `${shown(rows?.get(keys[0] ?? ''))}${trial.crew.deserters > before ? '; its process ended' : ''}`
  }
  const good = await trial.enqueue(8, 'work', 100)
  await trial.finished(limit, good)
  return { ...figures, [`8 good jobs after ${acts.at(-1)}`]: standing(await trial.counts(good)) }
}

async function leaveOneFloating(trial: Trial): Promise<Figures> {
  const [key = ''] = await trial.enqueue(1, 'leave a rejection floating', 500)
  const good = await trial.enqueue(7, 'work', 500)
  await trial.crew.start(1)
  await trial.finished(floats)
  const ended = `; it ended its process ${trial.crew.deserters} times`
  return {
    'leave a rejection floating': `${shown((await trial.rows())?.get(key))}${ended}`,
    'the 7 good jobs beside it': standing(await trial.counts(good)),
  }
}

function shown(row: Row | undefined): string {
  if (row === undefined) return 'unknown'
  const state = row.state === 'held' ? 'locked' : row.state
  if (row.said === null) return `${state}, nothing recorded`
  const [line = ''] = row.said.split('\n', 1)
  return `${state}: ${line.slice(0, 45)}${line.length > 45 ? `... (${row.said.length} characters)` : ''}`
}
