import { AsyncLocalStorage } from 'node:async_hooks'
import { createWorker, enqueue } from 'kysely-jobs'
import { expect, onTestFinished, test } from 'vitest'
import { testDatabase } from '../support/database.js'
import { createMailTables, type MailDatabase, next, quiet } from './mail-jobs.js'

const { db } = await testDatabase<MailDatabase>(createMailTables)

test("each handler begins in the context of its worker's start, and sees nothing that another has entered", async () => {
  await enqueue(
    db,
    'mail_jobs',
    Array.from({ length: 40 }, (_, n) => ({ to: `${n}` })),
  )
  const tenant = new AsyncLocalStorage<string>()
  const seen: (string | undefined)[] = []
  const worker = createWorker(
    db,
    'mail_jobs',
    async ({ to }) => {
      seen.push(tenant.getStore())
      tenant.enterWith(to)
      await Promise.resolve()
      tenant.enterWith(`${to} later`)
    },
    { logger: quiet, concurrency: 3 },
  )
  worker.on('claimed', () => tenant.enterWith('a listener'))
  worker.on('succeeded', () => tenant.enterWith('another listener'))
  onTestFinished(() => worker.stop({ deadline: 0 }).then(() => {}))
  const idle = next(worker, 'idle')
  await tenant.run('the program', () => worker.start())
  await idle
  expect(seen).toEqual(Array(40).fill('the program'))
})
