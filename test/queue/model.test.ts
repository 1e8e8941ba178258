import { expect, test } from 'vitest'
import { testDatabase } from '../support/database.js'
import { createMailJobs } from './mail-jobs.js'
import { checkModel } from './model/check.js'

const { url } = await testDatabase(createMailJobs)

// A failure is made smaller before it is told, which takes its time.
test('whatever is done at once, each job goes the way of the model', { timeout: 60_000 }, async () => {
  expect(await checkModel(url, { plays: 20 })).toBeGreaterThan(100)
})
