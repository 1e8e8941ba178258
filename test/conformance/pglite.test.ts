import { expect, test } from 'vitest'
import { startPglite } from '../support/pglite.js'
import { allHold, everything, runSuite, verdicts } from './suite.js'

test('on PGlite, which has one session for all, what holds holds', async () => {
  await using server = await startPglite()
  const before = await everything(server.url)
  const found = await runSuite(server.url)
  expect(verdicts(found)).toEqual(allHold)
  expect(await everything(server.url)).toEqual(before)
})
