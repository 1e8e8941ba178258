import { CamelCasePlugin, type Kysely, sql } from 'kysely'
import { cancelJobs, enqueue, retryJobs } from 'kysely-jobs'
import { createJobTable } from 'kysely-jobs/migrate'
import { fetchNextJobs, nextDueAt } from 'kysely-jobs/queue'
import { expect, test } from 'vitest'
import { own } from '../../src/schema/own-names.js'
import { everyVerb } from '../compat/every-verb.js'
import { createTestDatabase, testDatabase } from '../support/database.js'
import { worker } from './mail-jobs.js'

/** Names that our statements had for things of their own, those that they have, and what is reserved in SQL. */
const names = [
  ...['job', 'level', 'due', 'next', 'highest', 'place', 'expired', 'count', 'running', 'estimates', 'told', 'error'],
  ...['worker', 'attempt', 'common', 'class', 'stats', 'excluded', 'now', 'epoch', 'interval', 'array', 'any'],
  ...['select', 'user', 'order', 'table', 'from', 'where', 'group', 'limit', 'lateral', 'returning', 'as', 'id2'],
  ...Object.values(own).filter((name) => name !== own.level && name !== own.locked),
]

const { db } = await testDatabase((handle) => sql`create schema app`.execute(handle))

/** A text column of each name. */
const everyName = (table: any) => names.reduce((builder, name) => builder.addColumn(name, 'text'), table)
const payload = (n: number) => Object.fromEntries(names.map((name) => [name, `${name} ${n}`]))

test.each(['job', 'level', 'due', 'next', 'user', 'select', own.row])(
  'a table called %s, with columns that are called like anything of ours, is served by every verb',
  async (name) => {
    await createJobTable(db, `app.${name}`, everyName, { columns: ['priority', 'result', 'errors', 'finished_at'] })
    if (name === 'job') await everyVerb(db, `app.${name}`, payload)
    await everyVerb(db.withSchema('app'), name, payload)
    await byPriority(db.withSchema('app'), name)
  },
  60_000,
)

async function byPriority(handle: Kysely<any>, table: string): Promise<void> {
  await enqueue(handle, table, [{ priority: 1 }, { priority: 5 }])
  expect(await nextDueAt(handle, table, { columns: ['priority'] })).toBeLessThanOrEqual(0)
  const claimed = await fetchNextJobs(handle, table, { worker, limit: 1, columns: ['priority'] })
  expect(claimed).toMatchObject([{ priority: 5 }])
}

test.each(['job', 'mail_jobs'])(
  'a condition on jobs of %s may name its columns plainly, and by the alias job',
  async (name) => {
    await using database = await createTestDatabase()
    await sql`create schema app`.execute(database.db)
    await createJobTable(database.db, `app.${name}`, (table) =>
      table.addColumn('job', 'text').addColumn('user_id', 'integer'),
    )
    for (const [handle, table] of [
      [database.db, `app.${name}`],
      [database.db.withSchema('app'), name],
      [database.db.withPlugin(new CamelCasePlugin()).withSchema('app'), name],
    ] as const) {
      const [one, two, three] = (await enqueue(handle, table, [
        { user_id: 1, job: 'a' },
        { user_id: 2, job: 'b' },
        { user_id: 3, job: 'c' },
      ])) as [any, any, any]
      expect(await cancelJobs(handle, table, { where: (eb) => eb('user_id', '=', 1) })).toEqual([one.id])
      expect(await cancelJobs(handle, table, { where: (eb) => eb('job.user_id', '=', 2) })).toEqual([two.id])
      expect(await cancelJobs(handle, table, { where: (eb) => eb('job', '=', 'c') })).toEqual([three.id])
      expect(await retryJobs(handle, table, { where: (eb) => eb(eb.ref('job.job'), '=', 'b') })).toEqual([two.id])
      await handle.deleteFrom(table).execute()
    }
  },
)
