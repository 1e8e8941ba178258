import { createBatchWorker } from 'kysely-jobs'
import { expect, test } from 'vitest'
import { testDatabase } from '../support/database.js'
import type { MailDatabase } from './mail-jobs.js'

const { db } = await testDatabase<MailDatabase>()

const create = (options: unknown) => createBatchWorker(db, 'mail_jobs', () => {}, options as { size: number })

test.each<[unknown, string]>([
  [undefined, 'size: give the most jobs of a batch, as in { size: 100 }'],
  [{}, 'size: give the most jobs of a batch'],
  [{ size: 0 }, 'size: 0 is invalid; give a whole number of jobs, at least 1'],
  [{ size: '100' }, 'size: "100" is invalid; give a whole number of jobs'],
  [{ size: 1_001 }, 'size: 1001 is invalid; give at most 1000'],
  [{ size: 10, hold: 'row' }, `hold: "row" is invalid; give 'lease' or 'transaction'`],
  [{ size: 10, hold: 'transaction', onError: 'halve' }, `onError: "halve" is invalid; give 'retry' or 'bisect'`],
  [{ size: 10, onError: 'bisect' }, "onError: 'bisect' undoes what a batch wrote, so it needs hold: 'transaction'"],
  [{ size: 10, hold: 'transaction', holdFor: 100 }, 'holdFor: a batch is held while its handler runs; give a timeout'],
  [{ size: 10, concurrency: 0 }, 'concurrency: 0 is invalid'],
  [{ size: 10, timeout: 'soon' }, 'timeout: "soon" is not a duration'],
  [{ size: 10, sise: 10 }, 'sise: no such option; there are size, onError, concurrency, maxAttempts'],
])('the options %o of a batch worker are refused when it is created', (options, message) => {
  expect(() => create(options)).toThrow(message)
})

test('an option that is undefined means its default', () => {
  expect(() => create({ size: 10, concurrency: undefined, onError: undefined, hold: undefined })).not.toThrow()
})

test('neither a transaction nor what is no function makes a batch worker', async () => {
  const none = 'handler' as unknown as () => void
  expect(() => createBatchWorker(db, 'mail_jobs', none, { size: 10 })).toThrow(
    'the handler of mail_jobs is no function',
  )
  await db.transaction().execute(async (trx) => {
    expect(() => createBatchWorker(trx, 'mail_jobs', () => {}, { size: 10 })).toThrow(
      'mail_jobs was given a transaction; a worker outlives it',
    )
  })
})
