import { type Fault, type Figures, standing } from '../figures.ts'
import { Trial } from '../trial.ts'

const good = 50
const limit = 45_000

export const poison: Fault = {
  name: 'R8',
  what: `one job that calls process.exit amid ${good} good ones of 0.5 s, 8 at once; 5 attempts, expiry 3 s`,
  play: (play) => Trial.hold(play, { maxAttempts: 5 }, eatPoison),
}

async function eatPoison(trial: Trial): Promise<Figures> {
  const [bad = ''] = await trial.enqueue(1, 'exit', 200)
  const innocents = await trial.enqueue(good, 'work', 500)
  await trial.crew.start(1)
  await trial.finished(limit)
  const rows = await trial.rows()
  const row = rows?.get(bad)
  const attempts = Map.groupBy(await trial.deeds(), ({ job }) => job)
  const most = Math.max(...innocents.map((key) => attempts.get(key)?.length ?? 0))
  return {
    'processes it ended': trial.crew.deserters,
    'the poison, in the end': `${row?.state === 'held' ? 'locked' : row?.state}${row?.said ? `: ${short(row.said)}` : ''}`,
    [`the good ones, after ${limit / 1000} s at most`]: standing(await trial.counts(innocents)),
    'most attempts of a good one': most,
  }
}

function short(text: string): string {
  const [line = ''] = text.split('\n', 1)
  return line.length > 40 ? `${line.slice(0, 40)}...` : line
}
