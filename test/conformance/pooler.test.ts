import { afterAll, test as base, expect } from 'vitest'
import { testDatabase } from '../support/database.js'
import { startPgBouncer, withoutPgBouncer } from '../support/pgbouncer.js'
import { allHold, everything, runSuite, verdicts } from './suite.js'

if (withoutPgBouncer !== undefined) console.log(`Tests of the suite behind a pooler are ${withoutPgBouncer}`)
const test = base.skipIf(withoutPgBouncer !== undefined)

const { url } = await testDatabase()
/** Ten connections of the suite share three of the server's. */
const pooler = withoutPgBouncer === undefined ? await startPgBouncer(url, 3) : undefined
afterAll(() => pooler?.stop())
const pooled = pooler?.url ?? ''

test('through a pooler in transaction mode all promises hold, by polling where LISTEN goes through it too', async () => {
  const before = await everything(url)
  const found = await runSuite(pooled)
  expect(verdicts(found)).toEqual({ ...allHold, wake: 'polled' })
  const wake = found.judged.find(({ name }) => name === 'wake')
  expect(wake?.reason).toMatch(
    /^LISTEN is not heard.*: behind a pooler in transaction mode, workers listen at the server itself/,
  )
  expect(await everything(url)).toEqual(before)
})

test('with a direct way to listen, workers behind the pooler are woken', async () => {
  expect(verdicts(await runSuite(pooled, { listen: url, only: ['wake'] }))).toEqual({ wake: 'holds' })
})
