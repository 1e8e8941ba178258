import { expect, test } from 'vitest'
import type { JobDatabase } from '../../src/schema/job-database.js'
import { Hold, type HoldParts } from '../../src/worker/hold/hold.js'
import { settingsOf } from '../../src/worker/options.js'
import { Attempt } from '../../src/worker/run/attempt.js'
import { testDatabase } from '../support/database.js'

const { db } = await testDatabase<JobDatabase>()

/** A hold of so many jobs, and what it told its worker. */
function holdOf(count: number) {
  const told: string[] = []
  const tell = (name: string) => () => void told.push(name)
  const attempts = Array.from(
    { length: count },
    (_, n) => new Attempt({ id: n + 1, attempts_count: 1, last_error: null }, performance.now()),
  )
  // what a hold knows of its worker; none of its rows is one
  const parts = {
    scope: {
      settings: settingsOf(),
      jobs: { db },
      table: { schema: 'public', name: 'jobs' },
      tell: tell('lost'),
      report: tell('error'),
    },
    settler: { confirm: tell('confirm'), take: tell('take') },
    succeed: async () => {},
    settle: async () => [],
    releaseOf: () => {
      for (const attempt of attempts)
        if (attempt.state === 'claimed' && attempt.end()) hold.add(attempt, { kind: 'released' })
    },
    refused: tell('harm'),
    wentWell: tell('well'),
    unsure: tell('unsure'),
    over: tell('over'),
  } as unknown as HoldParts
  const hold = new Hold(parts)
  const done = (attempt: Attempt) => attempt.begin() && attempt.end() && hold.add(attempt, { kind: 'succeeded' })
  const held = () => db.transaction().execute((trx) => hold.hold(trx))
  return { hold, attempts, told, done, held }
}

test('a hold in which most jobs have ended went well, whatever was released', async () => {
  const { hold, attempts, told, done, held } = holdOf(10)
  hold.take(attempts)
  for (const attempt of attempts.slice(0, 6)) done(attempt)
  const over = held().then(() => hold.committed())
  void hold.end()
  await over
  expect(told).toEqual(['over', 'well', 'confirm', 'take'])
})

test('a hold that ended before most of its jobs had is harm: their handlers take longer, or wait for its end', async () => {
  const { hold, attempts, told, done, held } = holdOf(10)
  hold.take(attempts)
  for (const attempt of attempts.slice(0, 4)) done(attempt)
  const over = held().then(() => hold.committed())
  void hold.end()
  await over
  expect(told).toEqual(['harm', 'over', 'confirm', 'take'])
})

test('jobs that come to a hold which has failed meanwhile are lost, and do not begin', () => {
  const { hold, attempts, told } = holdOf(2)
  hold.failed(new Error('cut'))
  told.length = 0
  hold.take(attempts)
  expect(told).toEqual(['lost', 'lost'])
  expect(attempts.map((attempt) => attempt.mayBegin(1000))).toEqual([false, false])
})
