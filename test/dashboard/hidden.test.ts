import { enqueue } from 'kysely-jobs'
import { dashboard } from 'kysely-jobs/dashboard'
import { createJobTable } from 'kysely-jobs/migrate'
import { expect, test } from 'vitest'
import { testDatabase } from '../support/database.js'

const secret = 'correct horse battery staple'
const { db } = await testDatabase((handle) =>
  createJobTable(handle, 'mail_jobs', (table) =>
    table.addColumn('token', 'text').addColumn('to', 'text').addColumn('payload', 'jsonb'),
  ),
)
const { id } = await enqueue(db, 'mail_jobs', { token: secret, to: 'ada', payload: JSON.stringify({ secret }) })
await db
  .updateTable('mail_jobs')
  .set({ last_error: `Error: ${secret} was refused`, status: 'job_status_failed' })
  .execute()

const handlerOf = (options: object) =>
  dashboard(db, { authorize: () => 'all', tables: { mail_jobs: options } } as never)

/** The answer as a text, with its address where it leads elsewhere. */
async function answer(handler: (request: Request) => Promise<Response>, path: string, form?: Record<string, string>) {
  const headers = { 'content-type': 'application/x-www-form-urlencoded', 'sec-fetch-site': 'same-origin' }
  const post = form && { method: 'POST', headers, body: new URLSearchParams(form).toString() }
  const response = await handler(new Request(`http://jobs.example/tables/mail_jobs${path}`, post))
  return `${response.status} ${response.headers.get('location')} ${await response.text()}`
}

const list = '/tables/mail_jobs'

test('the value of a hidden column is in no answer, and that there is one is said', async () => {
  const handler = handlerOf({ hide: ['token', 'payload', 'last_error'] })
  const paths = ['', '?sort=token', '?state=failed', '?where=to%3Dada', `/jobs/${id}`, `/jobs/${id}/edit`]
  for (const path of paths) {
    const text = await answer(handler, path)
    expect(text.slice(0, 3)).toBe('200')
    expect(text).not.toContain(secret)
  }
  expect(await answer(handler, `/jobs/${id}`)).toMatch(/<dt>token<\/dt><dd class="quiet">hidden<\/dd>/)
  expect(await answer(handlerOf({}), `/jobs/${id}`)).toContain(secret)
})

test.each(['token', 'payload.secret', 'last_error'])(
  'nothing can be asked about %s, which is hidden',
  async (column) => {
    const handler = handlerOf({ hide: ['token', 'payload', 'last_error'] })
    for (const filter of [`${column}=${secret}`, `${column}~c`, `${column}^=correct`, `${column} is empty`]) {
      const asked = `?where=${encodeURIComponent(filter)}`
      expect(await answer(handler, asked)).toContain('There is no column')
      // Neither does an action count what matches.
      expect(await answer(handler, `/bulk${asked}`, { verb: 'retry', of: 'all' })).toMatch(
        /^422 [\s\S]*There is no column/,
      )
    }
  },
)

test('where errors are hidden, their kinds are in no answer, and can not be asked about', async () => {
  const kinds = await answer(handlerOf({}), '/errors')
  const [, fingerprint] = kinds.match(/\?error=([0-9a-f]+)/) ?? []
  expect(kinds).toContain(secret)
  expect(await answer(handlerOf({}), `?error=${fingerprint}`)).toContain(id)
  const handler = handlerOf({ hide: ['last_error'] })
  expect(await answer(handler, '/errors')).not.toContain(secret)
  for (const kind of [fingerprint, 'feed']) {
    const page = await answer(handler, `?error=${kind}`)
    expect(page).toContain('The errors of this table are hidden')
    expect(page).not.toContain(id)
    expect(await answer(handler, `/bulk?error=${kind}`, { verb: 'retry', of: 'all' })).toMatch(/^422/)
  }
})

test('the order of a list says nothing of a hidden column', async () => {
  await enqueue(db, 'mail_jobs', { token: 'a', to: 'first' })
  const handler = handlerOf({ hide: ['token'] })
  const rows = (text: string) => [...text.matchAll(/name="id" value="([^"]+)"/g)].map(([, each]) => each)
  const plain = rows(await answer(handler, ''))
  expect(plain).toHaveLength(2)
  for (const order of ['asc', 'desc']) expect(rows(await answer(handler, `?sort=token&order=${order}`))).toEqual(plain)
  expect(await answer(handler, '')).not.toContain(`${list}?sort=token`)
})

test('a hidden column can not be written to, and stays with a copy', async () => {
  const handler = handlerOf({ hide: ['token'] })
  const form = { 'value:token': 'mine', 'was:token': 'x', 'value:to': 'eve', 'was:to': 'ada' }
  await answer(handler, `/jobs/${id}/edit`, form)
  const job = () => db.selectFrom('mail_jobs').select(['token', 'to']).where('id', '=', id)
  expect(await job().execute()).toEqual([{ token: secret, to: 'eve' }])
  await answer(handler, `/jobs/${id}/duplicate`, { sure: 'yes' })
  const copies = await db.selectFrom('mail_jobs').select('token').where('to', '=', 'eve').execute()
  expect(copies).toEqual([{ token: secret }, { token: secret }])
})

test('a link of the app is given no hidden column', async () => {
  const given: object[] = []
  const link = (job: object) => {
    given.push(job)
    return '/users/1'
  }
  await answer(handlerOf({ hide: ['token'], link }), `/jobs/${id}`)
  expect(given).toMatchObject([{ id, to: 'eve' }])
  expect(given[0]).not.toHaveProperty('token')
})

test.each([
  ['javascript:alert(1)', false],
  ['JavaScript:alert(1)', false],
  [' javascript:alert(1)', false],
  ['data:text/html,x', false],
  ['//evil.example/x', false],
  ['/\\evil.example/x', false],
  ['/\t/evil.example', false],
  ['https://app.example/mails/1', true],
  ['/mails/1', true],
])('a link to %s: shown %s', async (href, isShown) => {
  const text = await answer(handlerOf({ link: () => href }), `/jobs/${id}`)
  expect(text.includes('Open in the app')).toBe(isShown)
})

test('a link that throws leaves the page as it is', async () => {
  const link = () => {
    throw new Error('no such route')
  }
  expect(await answer(handlerOf({ link }), `/jobs/${id}`)).toMatch(/^200/)
})

test.each([
  ['hide', { hide: ['tokn'] }, 'tables.mail_jobs.hide: There is no column tokn; did you mean token?'],
  [
    'hide',
    { hide: ['status'] },
    'tables.mail_jobs.hide: the pages are made of status; hide columns of your own, last_error',
  ],
  ['columns', { columns: ['too'] }, 'tables.mail_jobs.columns: There is no column too'],
])('%s of a column that can not be shows nothing of the table, and says which', async (_, options, text) => {
  const page = await answer(handlerOf(options), '')
  expect(page).toContain(text)
  expect(page).not.toContain('ada')
})
