import { addSchedule, listSchedules } from 'kysely-jobs'
import { type ActionEvent, type Authorize, DashboardOptionError, dashboard } from 'kysely-jobs/dashboard'
import { createJobSchedules, createJobTable } from 'kysely-jobs/migrate'
import { expect, test } from 'vitest'
import { testDatabase } from '../support/database.js'

const { db } = await testDatabase(async (db) => {
  await createJobTable(db, 'mail_jobs')
  await createJobTable(db, 'secret_jobs')
  await createJobSchedules(db)
  for (const table of ['mail_jobs', 'secret_jobs'])
    await addSchedule(db, table, { name: 'nightly', cron: '0 3 * * *', values: {} })
})

const at = (path: string, init?: RequestInit) => new Request(`http://jobs.example${path}`, init)

const post = (
  path: string,
  form: Record<string, string>,
  headers: Record<string, string> = { 'sec-fetch-site': 'same-origin' },
) =>
  at(path, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
    body: new URLSearchParams(form).toString(),
  })

const withAccess = (authorize: Authorize, options: object = {}) =>
  dashboard(db, { tables: ['mail_jobs'], authorize, ...options })

const pausedAt = async (table: string) => (await listSchedules(db, table))[0]?.pausedAt

test.each<[string, object, string]>([
  ['without authorize', { tables: ['mail_jobs'] }, 'authorize: undefined is invalid; give a function of the request'],
  ['without tables', { authorize: () => 'all' }, 'tables: undefined is invalid; give the names of the job tables'],
  ['with no table', { authorize: () => 'all', tables: [] }, 'tables: '],
  [
    'with an option that there is not',
    { authorize: () => 'all', tables: ['mail_jobs'], theme: 'x' },
    'theme: no such option',
  ],
  [
    'with an option of a table that there is not',
    { authorize: () => 'all', tables: { mail_jobs: { titel: 'x' } } },
    'tables.mail_jobs.titel: no such option',
  ],
  [
    'with a base path that is none',
    { authorize: () => 'all', tables: ['mail_jobs'], basePath: 'jobs' },
    'basePath: "jobs" is invalid; give a path',
  ],
])('a dashboard %s is refused when it is made', (_, options, text) => {
  expect(() => dashboard(db, options as never)).toThrow(DashboardOptionError)
  expect(() => dashboard(db, options as never)).toThrow(text)
})

test.each([false, null, undefined, 'nobody', {}, { may: 'everything' }] as never[])(
  'whoever authorize answers %j is let in nowhere',
  async (answer) => {
    const handler = withAccess(() => answer)
    for (const path of ['/', '/schedules', '/tables/mail_jobs', '/nowhere'])
      expect((await handler(at(path))).status).toBe(403)
    expect((await handler(post('/schedules/mail_jobs/nightly', { act: 'pause' }))).status).toBe(403)
    expect(await pausedAt('mail_jobs')).toBeUndefined()
  },
)

test('an error of authorize lets nobody in', async () => {
  const handler = withAccess(() => {
    throw new Error('no session')
  })
  const response = await handler(at('/'))
  expect([response.status, await response.text()]).toEqual([500, 'The dashboard failed.'])
})

test('authorize may send to a login', async () => {
  const handler = withAccess(() => Response.redirect('http://jobs.example/login', 302))
  const response = await handler(at('/'))
  expect([response.status, response.headers.get('location')]).toEqual([302, 'http://jobs.example/login'])
})

test('an action is done for who may, and told to onAction', async () => {
  const told: ActionEvent[] = []
  const handler = withAccess(() => ({ user: 'ada', may: 'all' }), {
    onAction: (event: ActionEvent) => told.push(event),
  })
  const response = await handler(post('/schedules/mail_jobs/nightly', { act: 'pause' }))
  expect([response.status, response.headers.get('location')]).toEqual([303, '/schedules'])
  expect(await pausedAt('mail_jobs')).toBeInstanceOf(Date)
  expect(told).toEqual([{ user: 'ada', action: 'pause schedule', table: 'mail_jobs', of: 'nightly' }])
  await handler(post('/schedules/mail_jobs/nightly', { act: 'resume' }))
  expect(await pausedAt('mail_jobs')).toBeUndefined()
})

/** What is promised is no answer: a promise is true whatever it comes to. */
const promised = (action: string) => action === 'view' || Promise.resolve(true)

test.each<[string, Authorize, object]>([
  ['may only read', () => 'read', {}],
  ['may do all on a dashboard that is read-only', () => 'all', { readOnly: true }],
  ['may do other things', () => ({ may: (action) => action !== 'schedule' }), {}],
  ['is promised more', () => ({ may: promised as unknown as () => boolean }), {}],
])('who %s sees the page and no button, and changes nothing', async (_, authorize, options) => {
  const handler = withAccess(authorize, options)
  const page = await (await handler(at('/schedules'))).text()
  expect(page).toContain('nightly')
  expect(page).not.toContain('Run now')
  expect((await handler(post('/schedules/mail_jobs/nightly', { act: 'pause' }))).status).toBe(403)
  expect(await pausedAt('mail_jobs')).toBeUndefined()
})

test('a table that is not listed, or not seen by the viewer, is nowhere', async () => {
  const unlisted = withAccess(() => 'all')
  const unseen = withAccess(() => ({ may: (_, table) => table === 'mail_jobs' }), {
    tables: ['mail_jobs', 'secret_jobs'],
  })
  for (const handler of [unlisted, unseen]) {
    expect(await (await handler(at('/schedules'))).text()).not.toContain('secret_jobs')
    expect((await handler(post('/schedules/secret_jobs/nightly', { act: 'pause' }))).status).toBe(404)
  }
  expect(await pausedAt('secret_jobs')).toBeUndefined()
})

test('whoever follows a page gets what their own rights show, and nothing of who sees more', async () => {
  const tables = ['mail_jobs', 'secret_jobs']
  const authorize: Authorize = (request) =>
    request.headers.has('admin') ? 'all' : { may: (_, of) => of === 'mail_jobs' }
  const handler = withAccess(authorize, { tables })
  const followed = async (headers: Record<string, string>) => {
    const { body } = await handler(at('/?live=1', { headers }))
    let text = ''
    for await (const part of body?.pipeThrough(new TextDecoderStream()) ?? []) {
      text += part
      if (text.includes('data: ')) break
    }
    return text
  }
  const [admin, other] = await Promise.all([followed({ admin: 'yes' }), followed({})])
  expect(admin).toContain('secret_jobs')
  expect(other).toContain('mail_jobs')
  expect(other).not.toContain('secret_jobs')
})

test.each([
  ['another site', { origin: 'http://evil.example', 'sec-fetch-site': 'cross-site' }],
  ['another site, by a browser that tells no more', { origin: 'http://evil.example' }],
  ['a sibling of this site', { origin: 'http://other.jobs.example', 'sec-fetch-site': 'same-site' }],
  ['a page without an origin', { origin: 'null' }],
  ['nowhere', {}],
] as [string, Record<string, string>][])('a form of %s changes nothing', async (_, headers) => {
  const handler = withAccess(() => 'all')
  expect((await handler(post('/schedules/mail_jobs/nightly', { act: 'pause' }, headers))).status).toBe(403)
  expect(await pausedAt('mail_jobs')).toBeUndefined()
})

test('a form of our own is taken behind a proxy too', async () => {
  const handler = withAccess(() => 'all')
  const headers = { origin: 'https://admin.example', 'x-forwarded-host': 'admin.example' }
  expect((await handler(post('/schedules/mail_jobs/nightly', { act: 'resume' }, headers))).status).toBe(303)
})

test('pages load nothing but their own style and script, and stand in no frame', async () => {
  const handler = withAccess(() => 'all')
  const { headers } = await handler(at('/'))
  expect(headers.get('content-security-policy')).toBe(
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
  )
  expect(headers.get('cache-control')).toBe('no-store')
  expect(headers.get('x-frame-options')).toBe('DENY')
})

test('a browser gets less than 120 kB in all', async () => {
  const handler = withAccess(() => 'all')
  const page = await (await handler(at('/'))).text()
  const assets = [...page.matchAll(/(?:href|src)="(\/assets\/[^"]+)"/g)].map(([, path = '']) => path)
  expect(assets).toHaveLength(2)
  let bytes = page.length
  for (const path of assets) {
    const response = await handler(at(path))
    expect([response.status, response.headers.get('cache-control')]).toEqual([
      200,
      'public, max-age=31536000, immutable',
    ])
    bytes += (await response.arrayBuffer()).byteLength
  }
  expect(bytes).toBeLessThan(120_000)
})

test.each<[string, object, string]>([
  ['below a base path', { basePath: '/admin/jobs/' }, '/admin/jobs/schedules'],
  ['in an app that takes the base path off', { basePath: '/admin/jobs' }, '/schedules'],
])('it stands %s', async (_, options, path) => {
  const handler = withAccess(() => 'all', options)
  const response = await handler(at(path))
  expect(response.status).toBe(200)
  const links = [...(await response.text()).matchAll(/(?:href|src|action|data-live)="(?!data:|#)([^"]*)"/g)].map(
    ([, link]) => link,
  )
  expect(links.length).toBeGreaterThan(5)
  expect(links.filter((link) => !link?.startsWith('/admin/jobs/'))).toEqual([])
})
