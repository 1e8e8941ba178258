import { CamelCasePlugin, type Kysely, sql } from 'kysely'
import { enqueue } from 'kysely-jobs'
import { dashboard } from 'kysely-jobs/dashboard'
import { createJobArchive, createJobTable } from 'kysely-jobs/migrate'
import { expect, test } from 'vitest'
import { createTestDatabase, testDatabase } from '../support/database.js'
import { createIhpTable } from '../support/ihp-table.js'

const { db } = await testDatabase()

/** Asks for a page, or sends a form; `text` is what a reader sees in the answer's source. */
function visitor(handle: Kysely<any>, table: string, options: object = {}) {
  const handler = dashboard(handle, { tables: [table], authorize: () => 'all', ...options })
  return async (path: string, form?: Record<string, string>) => {
    const headers = { 'content-type': 'application/x-www-form-urlencoded', 'sec-fetch-site': 'same-origin' }
    const post = form && { method: 'POST', headers, body: new URLSearchParams(form).toString() }
    const address = `http://jobs.example/tables/${encodeURIComponent(table)}${path}`
    const response = await handler(new Request(address, post))
    return { status: response.status, location: response.headers.get('location'), text: await response.text() }
  }
}

/** What can be looked at of any table, and done to one job of it. */
async function usable(handle: Kysely<any>, table: string, id: string, action = 'cancel'): Promise<void> {
  const visit = visitor(handle, table)
  for (const path of ['', '?state=due', '?where=attempts_count%3D0', '?sort=run_at', `/jobs/${id}`, `/jobs/${id}/edit`])
    expect([path, (await visit(path)).status]).toEqual([path, 200])
  expect((await visit('')).text).toContain(id)
  const copied = await visit(`/jobs/${id}/duplicate`, { sure: 'yes' })
  expect([copied.status, copied.location === `/tables/${encodeURIComponent(table)}/jobs/${id}`]).toEqual([303, false])
  const asked = await visit('/bulk', { verb: action, id })
  expect([asked.status, asked.text.includes('<strong>1 job</strong>')]).toEqual([200, true])
  const begun = await visit('/bulk', { verb: action, id, of: 'marked', sure: 'yes', value: '' })
  expect(begun.status).toBe(303)
  const run = begun.location?.split('/runs/')[1]
  await expect.poll(async () => (await visit(`/runs/${run}`)).text).toMatch(/1 job was (?!refused)[a-z]/)
}

test('a table without any optional column, and without indexes', async () => {
  await createJobTable(db, 'bare_jobs')
  const { id } = await enqueue(db, 'bare_jobs', {})
  await usable(db, 'bare_jobs', id)
  expect((await visitor(db, 'bare_jobs')('')).text).not.toContain('Priority…')
})

test('a table as IHP makes it, whose enum has no status for what was cancelled', async () => {
  await using database = await createTestDatabase()
  await createIhpTable(database.db)
  const { id } = await database.db
    .insertInto('send_mail_jobs')
    .values({ recipient: 'ada' })
    .returning('id')
    .executeTakeFirstOrThrow()
  await usable(database.db, 'send_mail_jobs', id, 'run')
  const visit = visitor(database.db, 'send_mail_jobs')
  expect((await visit('?state=cancelled')).status).toBe(200)
  const begun = await visit('/bulk', { verb: 'cancel', id, of: 'marked', sure: 'yes' })
  const run = begun.location?.split('/runs/')[1]
  await expect.poll(async () => (await visit(`/runs/${run}`)).text).toMatch(/1 job was (?!refused)[a-z]/)
  expect(
    await database.db.selectFrom('send_mail_jobs').select(['status', 'last_error']).where('id', '=', id).execute(),
  ).toEqual([{ status: 'job_status_failed', last_error: 'Cancelled: on request' }])
})

test('a table in another schema, whose name and columns need quotes', async () => {
  await sql`create schema "Back ""Office"`.execute(db)
  const office = db.withSchema('Back "Office')
  await createJobTable(office, 'Order/Jobs ?#%', (table) =>
    table.addColumn('Weird "col', 'text').addColumn('a.b', 'jsonb'),
  )
  const { id } = await enqueue(office, 'Order/Jobs ?#%', { 'Weird "col': 'x', 'a.b': '{"c": 1}' })
  await usable(office, 'Order/Jobs ?#%', id)
  const visit = visitor(office, 'Order/Jobs ?#%')
  const filtered = await visit(
    `?where=${encodeURIComponent('"Weird ""col"=x')}&where=${encodeURIComponent('"a.b".c=1')}`,
  )
  expect([filtered.status, filtered.text.includes(id)]).toEqual([200, true])
})

test('a table of 200 own columns', async () => {
  const names = Array.from({ length: 200 }, (_, n) => `column_${n}`)
  await createJobTable(db, 'wide_jobs', (table) => names.reduce((wide, name) => wide.addColumn(name, 'text'), table))
  const { id } = await enqueue(db, 'wide_jobs', Object.fromEntries(names.map((name) => [name, `value of ${name}`])))
  await usable(db, 'wide_jobs', id)
  const visit = visitor(db, 'wide_jobs')
  expect((await visit('')).text).not.toContain('value of column_4')
  expect((await visit(`/jobs/${id}`)).text).toContain('value of column_199')
  const edited = await visit(`/jobs/${id}/edit`, {
    'value:column_150': 'another',
    'was:column_150': 'value of column_150',
  })
  expect(edited.status).toBe(303)
  expect(await db.selectFrom('wide_jobs').select('column_150').where('id', '=', id).execute()).toEqual([
    { column_150: 'another' },
  ])
})

test('payloads of a megabyte: a list is small, and a job shows a part and says so', async () => {
  await createJobTable(db, 'large_jobs', (table) =>
    table.addColumn('payload', 'jsonb').addColumn('body', 'text').addColumn('note', 'text'),
  )
  const text = 'x'.repeat(1_000_000)
  const payload = JSON.stringify(Array.from({ length: 100_000 }, (_, n) => ({ n })))
  const rows = Array.from({ length: 20 }, () => ({ payload, body: text, note: 'short' }))
  const [job] = await enqueue(db, 'large_jobs', rows)
  const visit = visitor(db, 'large_jobs')
  const list = await visit('')
  expect([list.status, list.text.length < 150_000]).toEqual([200, true])
  const page = await visit(`/jobs/${job?.id}`)
  expect([page.status, page.text.length < 400_000, page.text.includes('…')]).toEqual([200, true, true])
  // What was not shown whole can't be edited by mistake: the rest of the form can.
  const form = await visit(`/jobs/${job?.id}/edit`)
  expect(form.text).toContain('value:note')
  expect((await visit(`/jobs/${job?.id}/edit`, { 'value:note': 'longer', 'was:note': 'short' })).status).toBe(303)
  const { rows: after } = await sql<{ note: string; length: number }>`
    select note, length(body) as length from large_jobs where id = ${job?.id}`.execute(db)
  expect(after).toEqual([{ note: 'longer', length: 1_000_000 }])
})

test('jobs of the archive are in the lists, which say so; each can be looked at, copied and run again', async () => {
  await createJobTable(db, 'kept_jobs', (table) => table.addColumn('to', 'text'), { archive: {} })
  const { id } = await enqueue(db, 'kept_jobs', { to: 'ada' })
  await sql`
    with gone as (delete from kept_jobs returning *)
    insert into kept_jobs_archive select * from gone`.execute(db)
  await sql`update kept_jobs_archive set status = 'job_status_failed', last_error = 'Error: away'`.execute(db)
  const visit = visitor(db, 'kept_jobs')
  expect((await visit('')).text).toMatch(/<span class="badge">archive<\/span>/)
  expect((await visit(`/jobs/${id}?archive=1`)).text).toContain('in the archive')
  const begun = await visit('/bulk', { verb: 'retry', id, of: 'marked', sure: 'yes' })
  const run = begun.location?.split('/runs/')[1]
  await expect.poll(async () => (await visit(`/runs/${run}`)).text).toMatch(/1 job was (?!refused)[a-z]/)
  expect(await db.selectFrom('kept_jobs').select(['id', 'status']).execute()).toEqual([
    { id, status: 'job_status_not_started' },
  ])
})

test('a handle with CamelCasePlugin names tables and columns as its program does', async () => {
  const camel = db.withPlugin(new CamelCasePlugin())
  await createJobTable(db, 'camel_jobs', (table) => table.addColumn('user_name', 'text').addColumn('api_key', 'text'))
  const { id } = await enqueue(camel, 'camelJobs', { userName: 'ada', apiKey: 'secret-1' })
  await usable(camel, 'camelJobs', id)
  const tables = {
    camelJobs: { columns: ['userName'], hide: ['apiKey'], link: (job: any) => `/users/${job.userName}` },
  }
  const visit = visitor(camel, 'camelJobs', { tables })
  expect((await visit('?where=userName%3Dada')).text).toContain('ada')
  const page = (await visit(`/jobs/${id}`)).text
  expect([page.includes('href="/users/ada"'), page.includes('secret-1')]).toEqual([true, false])
})

test('an archive that is added later is seen without a restart', async () => {
  await createJobTable(db, 'late_jobs')
  const visit = visitor(db, 'late_jobs')
  expect((await visit('')).status).toBe(200)
  await createJobArchive(db, 'late_jobs')
  const { id } = await enqueue(db, 'late_jobs', {})
  await sql`update late_jobs set status = 'job_status_succeeded'`.execute(db)
  await sql`with gone as (delete from late_jobs returning *) insert into late_jobs_archive select * from gone`.execute(
    db,
  )
  expect((await visit('')).text).toContain(id)
})

test('JSON as deep as Postgres takes it is shown down to where it can be', async () => {
  await createJobTable(db, 'deep_jobs', (table) => table.addColumn('one', 'jsonb').addColumn('other', 'json'))
  const one = '['.repeat(5_000) + ']'.repeat(5_000)
  const { id } = await enqueue(db, 'deep_jobs', { one, other: `{"a":${one}}` })
  const { status, text } = await visitor(db, 'deep_jobs')(`/jobs/${id}`)
  expect([status, text.match(/deeper than can be shown/g)?.length]).toEqual([200, 2])
  expect((await visitor(db, 'deep_jobs')('')).status).toBe(200)
})
