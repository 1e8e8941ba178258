import fc from 'fast-check'
import { dashboard } from 'kysely-jobs/dashboard'
import { expect, test } from 'vitest'
import { testDatabase } from '../support/database.js'
import { createMailTable, fillMails } from './mail-table.js'

// What comes by an address is never part of a statement's text: whatever it is, the answer is a page, and no error of the database.

const { db } = await testDatabase(createMailTable)
const handler = dashboard(db, { tables: ['mail_jobs'], authorize: () => 'all' })
await fillMails(db, [{ to: 'ada', size: 1 }])

async function answer(path: string, query: Readonly<Record<string, string>> = {}, form?: Record<string, string>) {
  const address = `http://jobs.example${path}?${new URLSearchParams(query)}`
  const headers = { 'content-type': 'application/x-www-form-urlencoded', 'sec-fetch-site': 'same-origin' }
  const post = form && { method: 'POST', headers, body: new URLSearchParams(form).toString() }
  const response = await handler(new Request(address, post))
  return { status: response.status, text: await response.text() }
}

const sneaky: readonly [string, string?][] = [
  [`'; drop table mail_jobs; --`],
  [`" or 1=1 --`],
  [`to" = 'ada' or "to`],
  [`to=ada' or 'a'='a`],
  [`$1`],
  [`\\'; select pg_sleep(10); --`],
  [`size=1; delete from mail_jobs`],
  [`payload.a'b->>c=1`],
  [`%`],
  [`\0`],
  ['\ud800'],
  ['a text of 5,000 characters', 'x'.repeat(5_000)],
]
const listQueries = [
  'where',
  'column',
  'path',
  'operator',
  'value',
  'state',
  'sort',
  'order',
  'after',
  'before',
  'archive',
]

test.each(sneaky)('%j in any part of an address changes nothing and asks nothing else', async (name, text = name) => {
  const paths = [
    ...listQueries.map((name) => answer('/tables/mail_jobs', { column: 'to', operator: '=', [name]: text })),
    answer('/tables/mail_jobs', { column: 'payload', path: text, value: text }),
    answer(`/tables/mail_jobs/jobs/${encodeURIComponent(text.toWellFormed())}`, { key: text }),
    answer(`/tables/mail_jobs/jobs/${encodeURIComponent(text.toWellFormed())}/edit`, {}),
    answer(`/tables/mail_jobs/runs/${encodeURIComponent(text.toWellFormed())}`, {}),
    answer('/tables/mail_jobs/bulk', { where: text }, { verb: 'delete', of: 'all' }),
    answer('/tables/mail_jobs/bulk', {}, { verb: 'retry', id: text }),
    answer(`/schedules/mail_jobs/${encodeURIComponent(text.toWellFormed())}`, {}, { act: text }),
  ]
  for (const { status, text: page } of await Promise.all(paths)) {
    expect([status, status >= 500 ? page.slice(0, 3_000) : '']).toEqual([expect.toSatisfy((code) => code < 500), ''])
    expect(page).not.toMatch(/syntax error|invalid input syntax/)
  }
  expect(await db.selectFrom('mail_jobs').select(['to', 'size']).execute()).toEqual([{ to: 'ada', size: 1 }])
})

test('a cursor that somebody made up finds nothing and fails as one that is damaged', async () => {
  const cursors = fc.array(fc.oneof(fc.string(), fc.integer(), fc.constant(null), fc.boolean()), { maxLength: 7 })
  await fc.assert(
    fc.asyncProperty(cursors, async (parts) => {
      const after = Buffer.from(JSON.stringify(parts)).toString('base64url')
      expect([200, 422]).toContain((await answer('/tables/mail_jobs', { after })).status)
    }),
    { numRuns: 30 },
  )
})

test('a value of a form is a value, whatever it looks like', async () => {
  const text = `ada', size = 7 where true; --`
  const { id } = await db.selectFrom('mail_jobs').select('id').executeTakeFirstOrThrow()
  const form = { 'value:to': text, 'was:to': 'ada', 'value:size" = 9, "to': 'x', 'was:size" = 9, "to': 'y' }
  expect((await answer(`/tables/mail_jobs/jobs/${id}/edit`, {}, form)).status).toBe(303)
  expect(await db.selectFrom('mail_jobs').select(['to', 'size']).execute()).toEqual([{ to: text, size: 1 }])
})

test('a state that there is not widens no bulk action to jobs in every state', async () => {
  const asked = { state: 'retryng' }
  expect(await answer('/tables/mail_jobs', asked)).toMatchObject({
    status: 200,
    text: expect.stringContaining('There is no state'),
  })
  const bulk = await answer('/tables/mail_jobs/bulk', asked, { verb: 'delete', of: 'all', sure: 'yes' })
  expect(bulk).toMatchObject({ status: 422, text: expect.stringContaining('There is no state') })
})

test('an action on jobs in a state that it leaves alone is refused', async () => {
  const bulk = await answer(
    '/tables/mail_jobs/bulk',
    { state: 'succeeded' },
    { verb: 'cancel', of: 'all', sure: 'yes' },
  )
  expect(bulk).toMatchObject({ status: 422, text: expect.stringContaining('are left alone') })
})
