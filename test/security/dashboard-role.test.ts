import { randomBytes } from 'node:crypto'
import { type Kysely, sql } from 'kysely'
import { enqueue } from 'kysely-jobs'
import { dashboard } from 'kysely-jobs/dashboard'
import { createJobHistory, createJobPauses, createJobRunners, createJobTable } from 'kysely-jobs/migrate'
import { afterAll, beforeEach, expect, test } from 'vitest'
import { optionalColumnNames } from '../../src/schema/columns.js'
import { testDatabase } from '../support/database.js'
import { dropRoles, handleAs, sqlOf } from './roles.js'

// The roles of docs/security.md, at a dashboard.

const table = 'welcome_jobs'
const database = await testDatabase(async (handle) => {
  await createJobTable(handle, table, (it) => it.addColumn('user_id', 'text'), { columns: optionalColumnNames })
  await createJobPauses(handle)
  await createJobRunners(handle)
  await createJobHistory(handle)
})
const { db } = database
const people = ['enqueuer', 'worker', 'caretaker', 'reader', 'operator']
const suffix = randomBytes(8).toString('hex')
for (const block of ['roles', 'pauses', 'records', 'dashboard'])
  await sql.raw(sqlOf(block).replaceAll(new RegExp(`welcome_(?:${people.join('|')})`, 'g'), `$&_${suffix}`)).execute(db)
afterAll(() =>
  dropRoles(
    db,
    people.map((person) => `welcome_${person}_${suffix}`),
  ),
)

let id: string
beforeEach(async () => {
  await db.deleteFrom(table).execute()
  ;({ id } = await enqueue(db, table, { user_id: 'ada' }))
})

function visitor(handle: Kysely<any>) {
  const handler = dashboard(handle, { tables: [table], authorize: () => 'all' })
  return async (path: string, form?: Record<string, string>) => {
    const headers = { 'content-type': 'application/x-www-form-urlencoded', 'sec-fetch-site': 'same-origin' }
    const post = form && { method: 'POST', headers, body: new URLSearchParams(form).toString() }
    const response = await handler(new Request(`http://jobs.example${path}`, post))
    return { status: response.status, location: response.headers.get('location'), text: await response.text() }
  }
}

const [asReader, asOperator] = ['reader', 'operator'].map((person) =>
  visitor(handleAs(database, `welcome_${person}_${suffix}`)),
) as [ReturnType<typeof visitor>, ReturnType<typeof visitor>]
const of = `/tables/${table}`

async function outcomeOf(visit: ReturnType<typeof visitor>, verb: string, value = ''): Promise<string> {
  const { location } = await visit(`${of}/bulk`, { verb, id, of: 'marked', sure: 'yes', value })
  await expect.poll(async () => (await visit(location ?? '')).text).not.toContain('at work')
  return (await visit(location ?? '')).text
}

test('a reader sees every page', async () => {
  for (const path of [
    '/',
    of,
    `${of}?where=user_id%3Dada`,
    `${of}/jobs/${id}`,
    `${of}/errors`,
    `${of}/steering`,
    '/schedules',
  ])
    expect([path, (await asReader(path)).status]).toEqual([path, 200])
})

test.each<[string, string?]>([['retry'], ['run'], ['reschedule', '2h'], ['prioritise', '3'], ['cancel'], ['delete']])(
  'a reader may not %s, and is told by whom; an operator may',
  async (verb, value) => {
    expect(await outcomeOf(asReader, verb, value)).toMatch(/permission denied/)
    expect(await outcomeOf(asOperator, verb, value)).toMatch(/1 job was (?!refused)[a-z]/)
  },
)

test('a reader may neither edit a job nor copy it; an operator may', async () => {
  const edit = { 'value:user_id': 'bob', 'was:user_id': 'ada' }
  for (const [path, form] of [
    [`${of}/jobs/${id}/edit`, edit],
    [`${of}/jobs/${id}/duplicate`, { sure: 'yes' }],
  ] as const) {
    const refused = await asReader(path, form)
    expect([refused.status, refused.text]).toEqual([422, expect.stringContaining('permission denied')])
    expect((await asOperator(path, form)).status).toBe(303)
  }
  expect(await db.selectFrom(table).select('user_id').execute()).toEqual([{ user_id: 'bob' }, { user_id: 'bob' }])
})
