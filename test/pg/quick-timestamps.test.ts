import fc from 'fast-check'
import { guardPool } from 'kysely-jobs'
import pg from 'pg'
import { expect, onTestFinished, test } from 'vitest'
import { quietPool, testDatabase } from '../support/database.js'

const { url } = await testDatabase()

const timestamptz = 1184
const pgParse: (text: string) => unknown = pg.types.getTypeParser(timestamptz)

function guardedPool(config: pg.PoolConfig = {}) {
  const pool = guardPool(new pg.Pool({ connectionString: url, ...config }))
  onTestFinished(() => pool.end())
  return pool
}

test('a guarded pool reads every timestamp as node-postgres does', async () => {
  const read = guardedPool().options.types?.getTypeParser(timestamptz, 'text') as typeof pgParse
  const padded = (max: number, min = 0) =>
    fc.integer({ min, max }).map((value) => String(value).padStart(max > 99 ? 4 : 2, '0'))
  const day = fc.tuple(padded(9999), padded(12, 1), padded(31, 1)).map((parts) => parts.join('-'))
  const time = fc.tuple(padded(23), padded(59), padded(60)).map((parts) => parts.join(':'))
  const fraction = fc.oneof(fc.constant(''), fc.stringMatching(/^\.[0-9]{1,6}$/))
  const zone = fc.stringMatching(/^[+-](0[0-9]|1[0-5])(:[0-5][0-9])?(:[0-5][0-9])?( BC)?$/)
  fc.assert(
    fc.property(day, time, fraction, zone, (...[date, clock, part, offset]) => {
      const text = `${date} ${clock}${part}${offset}`
      expect(read(text)).toEqual(pgParse(text))
    }),
    { numRuns: 2_000 },
  )
  for (const text of ['infinity', '-infinity', '10000-01-01 00:00:00+00', '0044-03-15 12:00:00+00 BC', ''])
    expect(read(text)).toEqual(pgParse(text))
})

test('what Postgres writes in any time zone and date style is read as node-postgres reads it', async () => {
  const pool = guardedPool()
  const plain = quietPool({ connectionString: url })
  onTestFinished(() => plain.end())
  for (const zone of ['UTC', 'Asia/Kolkata', 'America/St_Johns', 'Africa/Monrovia']) {
    for (const style of ['ISO', 'SQL', 'German', 'Postgres']) {
      const query = `select t.at from (values ('2026-11-25 10:20:30.123456+00'::timestamptz), ('1960-01-01'),
        ('infinity'), ('0012-01-01 BC')) t(at)`
      const rows = async (from: pg.Pool) => {
        const client = await from.connect()
        await client.query(`set datestyle = '${style}'; set timezone = '${zone}'`)
        const result = await client.query(query)
        client.release()
        return result.rows
      }
      expect(await rows(pool)).toEqual(await rows(plain))
    }
  }
})

test("a parser of the user's own stays in force, for the pool or for all of pg, also when it is set later", async () => {
  const types = { getTypeParser: () => (text: string) => `text ${text}` } as unknown as typeof pg.types
  expect((await guardedPool({ types }).query('select now() as at')).rows[0].at).toMatch(/^text \d/)
  const pool = guardedPool()
  onTestFinished(() => pg.types.setTypeParser(timestamptz, pgParse))
  expect((await pool.query('select now() as at')).rows[0].at).toBeInstanceOf(Date)
  pg.types.setTypeParser(timestamptz, (text) => `later ${text}`)
  expect((await pool.query('select now() as at')).rows[0].at).toMatch(/^later \d/)
})
