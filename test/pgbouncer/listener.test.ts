import { createWorker, enqueue, type WorkerEvents, type WorkerOptions } from 'kysely-jobs'
import { expect, onTestFinished } from 'vitest'
import { sharedListener } from '../../src/watch/shared-listener.js'
import { next, quiet } from '../worker/mail-jobs.js'
import { pooledDatabase, test } from './pooled.js'

const { db, url, directUrl } = await pooledDatabase()

function worker(options: WorkerOptions) {
  const made = createWorker(db, 'mail_jobs', async () => {}, {
    logger: quiet,
    pollInterval: '1h',
    lease: '24h',
    ...options,
  })
  onTestFinished(() => made.stop({ deadline: 0 }).then(() => {}))
  return made
}

type Said = WorkerEvents<unknown>['listener'][0]

test('a worker that listens through it is deaf, says so and why, and polls each 2 s', async () => {
  sharedListener(db, url, { period: 1_000, patience: 100 }) // who asks first says how patient it is
  const lines: string[] = []
  const logger = { ...quiet, warn: (_facts: object, line: string) => void lines.push(line) }
  const deaf = worker({ listen: url, logger })
  const said = next<Said>(deaf, 'listener', ({ state }) => state !== 'connecting')
  const looked = said.then(() => next(deaf, 'idle')) // it has looked for what it could not hear of, and found nothing
  const succeeded = next(deaf, 'succeeded')
  await deaf.start()
  expect(await said).toMatchObject({
    state: 'deaf',
    reason: { code: 'DEAF_LISTENER', message: expect.stringContaining('transaction-mode pooler') },
  })
  expect(deaf.health()).toMatchObject({ listener: 'deaf', alive: true })
  expect(lines).toContain('mail_jobs: listener deaf')
  await looked
  await enqueue(db, 'mail_jobs', { to: 'ada' })
  await succeeded
})

test('with a direct URL to listen to, a pooled worker hears of each job at once', async () => {
  const hearing = worker({ listen: directUrl })
  const listening = next<Said>(hearing, 'listener', ({ state }) => state === 'listening')
  await hearing.start()
  await listening
  for (const to of ['ada', 'bob', 'eve']) {
    const succeeded = next(hearing, 'succeeded') // nobody polls for an hour
    await enqueue(db, 'mail_jobs', { to })
    await succeeded
  }
})
