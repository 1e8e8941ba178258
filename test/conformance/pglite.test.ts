import { expect, test } from 'vitest'
import { startPglite } from '../support/pglite.js'
import { everything, runSuite, verdicts } from './suite.js'

/** Those by which a module of this process may differ from a server: in CI all of them would take it half a minute. */
const only = ['claim', 'fence', 'settle', 'complete', 'wake', 'cancel', 'unique', 'plans']

test('on PGlite, which has one session for all, promises hold, and nothing is left behind', async () => {
  await using server = await startPglite()
  const before = await everything(server.url)
  expect(verdicts(await runSuite(server.url, { only }))).toEqual(
    Object.fromEntries(only.map((name) => [name, 'holds'])),
  )
  expect(await everything(server.url)).toEqual(before)
})
