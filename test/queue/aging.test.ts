import fc from 'fast-check'
import { CamelCasePlugin, type Kysely, sql } from 'kysely'
import { createJobTable } from 'kysely-jobs/migrate'
import { beforeEach, expect, test } from 'vitest'
import { compileFetch } from '../../src/queue/fetch.js'
import { compileHold } from '../../src/queue/held.js'
import { jobsOf } from '../../src/schema/job-database.js'
import { testDatabase } from '../support/database.js'
import { rolledBack, worker } from './mail-jobs.js'

const { db } = await testDatabase(async (db) => {
  await createJobTable(db, 'aged_jobs', (table) => table.addColumn('name', 'text'), {
    columns: ['priority'],
    notify: 'none',
  })
  await sql`alter table aged_jobs alter column priority type bigint`.execute(db)
})

beforeEach(() => sql`truncate aged_jobs`.execute(db))

const minute = 60_000
type Given = { limit: number; aging: number; since?: { runAt: Date; levels: string; times: string } }

/** What a claim brings, by name. */
async function claim({ limit, aging, since }: Given, handle: Kysely<any> = db): Promise<string[]> {
  const settings = { worker, columns: ['priority'], aging, fromCursor: since !== undefined }
  const rows = await compileFetch(jobsOf(handle, 'aged_jobs'), settings)(handle, {
    limit,
    since: since && { ...since, others: '-infinity' },
  })
  return rows.map((row) => Reflect.get(row, 'name'))
}

/** Jobs of a priority, due since so many milliseconds. */
async function waiting(jobs: readonly { readonly name: string; readonly priority: number; readonly age: number }[]) {
  const rows = sql.join(jobs.map(({ name, priority, age }) => sql`(${name}, ${priority}::bigint, ${age}::float8)`))
  if (jobs.length === 0) return
  await sql`insert into aged_jobs (name, priority, run_at)
    select name, priority, now() - age * interval '1 millisecond' from (values ${rows}) as given(name, priority, age)`.execute(
    db,
  )
}

/** Mostly the one: so that many are of the same level. */
const few = <Value>(one: fc.Arbitrary<Value>, other: fc.Arbitrary<Value>) =>
  fc.oneof({ weight: 6, arbitrary: one }, { weight: 1, arbitrary: other })

/** Ages amid a step, so that none comes to its end while the test runs; each another one. */
const aged = fc.record({
  aging: fc.constantFrom(minute, 10 * minute, 1_000 * minute),
  limits: fc.array(fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 9 })), { minLength: 1, maxLength: 5 }),
  jobs: fc.array(
    fc.record({
      priority: few(fc.integer({ min: -1, max: 2 }), fc.constantFrom(-32_768, 32_767, 40_000_000)),
      steps: few(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 70_000 })),
      part: fc.integer({ min: 300, max: 600 }),
      isDue: few(fc.constant(true), fc.constant(false)),
    }),
    { maxLength: 40, size: 'max' },
  ),
})

test('jobs are claimed by the level that they have reached, and of one level those that are due longest first', async () => {
  await fc.assert(
    fc.asyncProperty(aged, async ({ aging, limits, jobs }) => {
      await sql`truncate aged_jobs`.execute(db)
      const all = jobs.map(({ priority, steps, part, isDue }, n) => {
        const age = (steps + part / 1000) * aging + n
        return { name: `${n}`, priority, age: isDue ? age : -age, level: priority + steps, isDue }
      })
      await waiting(all)
      const wanted = all.filter(({ isDue }) => isDue).sort((a, b) => b.level - a.level || b.age - a.age)
      const found: string[] = []
      for (let n = 0, last = 1; last > 0; n++) {
        const limit = limits[n % limits.length] ?? 1
        const names = await claim({ limit, aging })
        expect(names).toHaveLength(Math.min(limit, wanted.length - found.length))
        found.push(...names)
        last = names.length
      }
      expect(found).toEqual(wanted.map(({ name }) => name))
    }),
    { numRuns: 100 },
  )
})

test('the same from a cursor, and held by a transaction', async () => {
  const jobs = Array.from({ length: 40 }, (_, n) => ({ name: `${n}`, priority: n % 4, age: minute * (40 - n + 0.5) }))
  await waiting(jobs)
  const level = ({ priority, age }: (typeof jobs)[number]) => priority + Math.floor(age / (7 * minute))
  const wanted = [...jobs].sort((a, b) => level(b) - level(a) || b.age - a.age).map(({ name }) => name)
  const settings = { worker, columns: ['priority'], aging: 7 * minute, deletes: false }
  await rolledBack(db, async (trx) => {
    const held = await compileHold(jobsOf(trx, 'aged_jobs'), settings)(trx, { limit: 40 })
    expect(held.map((row) => Reflect.get(row, 'name'))).toEqual(wanted)
  })
  expect(await claim({ limit: 15, aging: 7 * minute })).toEqual(wanted.slice(0, 15))
  const since = { runAt: new Date(), levels: '{3,2}', times: `{${new Date(0).toISOString()},infinity}` }
  const ofAllBut2 = wanted.slice(15).filter((name) => Number(name) % 4 !== 2)
  expect(await claim({ limit: 40, aging: 7 * minute, since })).toEqual(ofAllBut2)
})

test('no priority, time or aging is too large', async () => {
  const extremes = ['9223372036854775806', '9223372036854775295', '0', '-9223372036854775808']
  for (const priority of extremes)
    for (const time of ['-infinity', '4713-01-01 00:00+00 BC', 'now', 'infinity'])
      await sql`insert into aged_jobs (name, priority, run_at) values (${`${priority} ${time}`}, ${priority}, ${time})`.execute(
        db,
      )
  for (const aging of [0.000_001, 1, minute, 86_400_000_000_000]) {
    await rolledBack(db, async (trx) => {
      const names = [...(await claim({ limit: 5, aging }, trx)), ...(await claim({ limit: 20, aging }, trx))]
      expect(new Set(names).size).toBe(12)
      expect(names).toHaveLength(12)
      expect(names.join()).not.toContain(' infinity')
    })
  }
})

test('what others hold is passed over, and nothing is locked that is not taken', async () => {
  await waiting(Array.from({ length: 60 }, (_, n) => ({ name: `${n}`, priority: n % 3, age: n * minute + minute / 2 })))
  const aging = 2 * minute
  await rolledBack(db, async (first) => {
    const taken = await claim({ limit: 20, aging }, first)
    expect(taken).toHaveLength(20)
    await rolledBack(db, async (second) => {
      const others = await claim({ limit: 20, aging }, second)
      expect(others).toHaveLength(20)
      const { rows } = await sql`select name from aged_jobs for update skip locked`.execute(db)
      expect(rows).toHaveLength(20)
      expect(new Set([...taken, ...others]).size).toBe(40)
    })
  })
})

test('claims at the same time never bring the same job, and together bring all', async () => {
  await waiting(Array.from({ length: 600 }, (_, n) => ({ name: `${n}`, priority: n % 7, age: n * 1000 })))
  const found: string[] = []
  const claiming = async () => {
    for (;;) {
      const names = await claim({ limit: 7, aging: 3000 })
      if (names.length === 0) return
      found.push(...names)
    }
  }
  await Promise.all([claiming(), claiming(), claiming(), claiming()])
  expect(found).toHaveLength(600)
  expect(new Set(found).size).toBe(600)
})

test('among more than a hundred priorities, the jobs that wait longest count too', async () => {
  await waiting(Array.from({ length: 300 }, (_, n) => ({ name: `${n}`, priority: n, age: minute / 2 + n })))
  await waiting([{ name: 'old', priority: -5, age: 400.5 * minute }])
  expect(await claim({ limit: 3, aging: minute })).toEqual(['old', '299', '298'])
  expect(await claim({ limit: 300, aging: minute })).toEqual(Array.from({ length: 298 }, (_, n) => `${297 - n}`))
})

test('free jobs are found behind any number of such as others hold, each at a level of its own', async () => {
  await waiting(
    Array.from({ length: 400 }, (_, n) => ({ name: `${n}`, priority: n % 3, age: n * minute + minute / 2 })),
  )
  await rolledBack(db, async (others) => {
    expect(await claim({ limit: 300, aging: minute }, others)).toHaveLength(300)
    expect(await claim({ limit: 10, aging: minute })).toHaveLength(10)
    expect(await claim({ limit: 200, aging: minute })).toHaveLength(90)
  })
})

test.each([
  ['in a schema', (handle: Kysely<any>) => handle.withSchema('public')],
  ['in camel case', (handle: Kysely<any>) => handle.withPlugin(new CamelCasePlugin())],
])('a condition and more than a hundred priorities go with it: %s', async (_, handleOf) => {
  await waiting(Array.from({ length: 300 }, (_, n) => ({ name: `${n}`, priority: n >> 1, age: minute / 2 + n })))
  await waiting([{ name: 'old', priority: -5, age: 400.5 * minute }])
  const handle = handleOf(db)
  const where = sql<boolean>`(job.name not like '%8')`
  const fetch = compileFetch(jobsOf(handle, 'aged_jobs'), { worker, columns: ['priority'], aging: minute, where })
  for (const wanted of [
    ['old', '299'],
    ['297', '296'],
  ]) {
    const rows = await fetch(handle, { limit: 2 })
    expect(rows.map((row) => Reflect.get(row, 'name'))).toEqual(wanted)
  }
})
