import fc from 'fast-check'
import { Kysely, PostgresDialect } from 'kysely'
import { enqueue, guardPool, retryJobs } from 'kysely-jobs'
import { leaseOf, settle } from 'kysely-jobs/queue'
import { afterAll, expect, test } from 'vitest'
import type { Keyed } from '../../src/queue/claim.js'
import { quietPool, testDatabase } from '../support/database.js'
import { claimsOf } from './keyed-model/claims.js'
import { Play } from './keyed-model/play.js'
import { anyRound, hour, kept, type Round } from './keyed-model/verbs.js'
import { createWatchedJobs } from './keyed-model/watched-jobs.js'
import { worker } from './mail-jobs.js'

const { db, url } = await testDatabase(createWatchedJobs)

const handles = Array.from({ length: 4 }, () => {
  return new Kysely<any>({
    dialect: new PostgresDialect({ pool: guardPool(quietPool({ connectionString: url, max: 1 })) }),
  })
})
afterAll(() => void handles.map((handle) => handle.destroy().catch(() => {})))

const rate = { max: 1, per: hour, burst: 3 }
const by = ['tenant']

const promises: [name: string, keyed: Keyed][] = [
  ['a limit of each key', { by, max: 2 }],
  ['a limit of all', { by: [], total: 3 }],
  ['a limit of all, in turn, by two columns', { by: ['tenant', 'region'], total: 4, isFair: true }],
  ['a limit in a column', { by, max: { column: 'most' } }],
  ['a limit of each key of two columns, and a rate of all', { by: ['tenant', 'region'], max: 2, totalRate: rate }],
  ['a line', { by, order: 'continue' }],
  ['a line that a failure blocks, and a limit of all', { by, order: 'block', total: 2 }],
  ['a rate of each key', { by, rate }],
  ['a rate of all', { by: [], totalRate: rate }],
  ['a rate and a limit of each key', { by, rate, max: 2 }],
  ['a line with a rate', { by, rate, order: 'continue' }],
  ['a limit in a column, and a rate', { by, rate, max: { column: 'most' } }],
]

test.each(promises)('%s is kept and used in full, whatever is done at once', async (_, keyed) => {
  let played = 0
  const play = async (rounds: Round[]) => {
    const one = new Play(db, handles, { ...keyed, kept: kept(keyed.by) })
    await one.begin()
    for (const round of rounds) await one.round(round)
    await one.end()
    played += rounds.length
  }
  const anyPlay = fc.array(anyRound, { minLength: 8, maxLength: 20, size: 'max' })
  await fc.assert(fc.asyncProperty(anyPlay, play), { numRuns: 3, endOnFailure: true })
  expect(played).toBeGreaterThan(20)
})

test('a job that is retried by hand waits for the one of its line that runs', async () => {
  const keyed: Keyed = { by, order: 'continue' }
  await new Play(db, handles, keyed).begin()
  const claims = claimsOf(db, keyed)
  const claim = async () => {
    const { rows } = await claims(handles[0]!, 'message', { limit: 9, quota: 9, most: 9, below: 100, last: [] })
    return rows.map((row) => leaseOf(row as { id: string; attempts_count: number }))
  }
  const job = { tenant: 1, region: 'a', most: 1, place: 0, own_key: '{"tenant": 1}' }
  for (let n = 0; n < 2; n++) await enqueue(db, 'key_jobs', job)
  const [first] = await claim()
  await settle(db, 'key_jobs', [{ ...first!, kind: 'failed', error: 'it went wrong' }], { worker })
  const [second] = await claim()
  await retryJobs(db, 'key_jobs', { ids: [first!.id] })
  expect(await claim()).toEqual([])
  await settle(db, 'key_jobs', [{ ...second!, kind: 'succeeded' }], { worker })
  expect(await claim()).toMatchObject([{ id: first!.id }])
})
