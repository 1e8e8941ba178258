import { afterAll, describe, expect, test } from 'vitest'
import { isInstalled, type Release } from '../../tools/postgres/binaries.js'
import { type Postgres, startPostgres } from '../../tools/postgres/start-postgres.js'
import { allHold, everything, runSuite, verdicts } from './suite.js'

/** Those before the newest, which all other tests meet. */
const releases: readonly Release[] = [14, 15, 16, 17]
const installed = releases.filter(isInstalled)

/** At the same time: to make a server takes longer than to try it. */
const servers = new Map<Release, Promise<Postgres>>(
  installed.map((release) => [release, startPostgres({ release, fsync: false })]),
)
afterAll(async () => {
  for (const server of servers.values()) await (await server).stop()
})

describe.each(releases)('on Postgres %i', (release) => {
  test.skipIf(!installed.includes(release))('all promises hold, and nothing is left behind', async () => {
    const { url } = (await servers.get(release))!
    const before = await everything(url)
    const found = await runSuite(url)
    expect(verdicts(found)).toEqual(allHold)
    expect(found.home.engine.version).toMatch(new RegExp(`^${release}\\.`))
    expect(await everything(url)).toEqual(before)
  })
})
