import { expect, test } from 'vitest'
import { promises } from '../../src/conformance/promises/all.js'
import { startPostgres } from '../../tools/postgres/start-postgres.js'
import { startProxy } from '../support/proxy.js'
import { startStandby } from '../support/standby.js'
import { allHold, everything, runSuite, verdicts } from './suite.js'

test('a standby that is promoted midway keeps all promises, those too that were being tried, and nothing is left on it', async () => {
  await using primary = await startPostgres({ fsync: false, settings: { synchronous_commit: 'on' } })
  await using standby = await startStandby(primary)
  const service = await startProxy(primary.url) // the address that outlives the primary
  await expect(runSuite(standby.url, { only: ['claim'] })).rejects.toMatchObject({ code: '25006' })
  const before = await everything(primary.url)
  let tries = 0
  const midway = promises.map((promised) => ({
    ...promised,
    run: async (...[scene]: Parameters<typeof promised.run>) => {
      if (promised.name !== 'settle') return promised.run(scene)
      tries += 1
      if (tries === 1) {
        await primary.halt('kill')
        service.leadTo(standby.url)
        standby.promote().catch(() => {}) // it shows
      }
      return promised.run(scene)
    },
  }))
  const found = await runSuite(service.url, { promises: midway })
  expect(verdicts(found)).toEqual(allHold)
  expect(tries).toBe(2)
  expect(await everything(standby.url)).toEqual(before)
  service.close()
})
