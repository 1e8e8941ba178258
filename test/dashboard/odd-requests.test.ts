import { dashboard } from 'kysely-jobs/dashboard'
import { expect, test } from 'vitest'
import { testDatabase } from '../support/database.js'
import { createMailTable, fillMails } from './mail-table.js'

// What crawlers, old tabs, proxies and other sites send.

const { db } = await testDatabase(createMailTable)
const made = (options: object = {}) => dashboard(db, { tables: ['mail_jobs'], authorize: () => 'all', ...options })

/** The status, and what is told beside it. */
async function answer(path: string, init?: RequestInit, options?: object): Promise<string> {
  const response = await made(options)(new Request(`http://jobs.example${path}`, init))
  return `${response.status} ${await response.text()}`
}

test.each(['/assets/style-of-an-older-version.css', '/assets/%'])(
  '%s, which is no file, is told to be none to whoever asks',
  async (path) => {
    const nobody = { authorize: () => false }
    expect(await answer(path, {}, nobody)).toBe('404 There is no such file.')
  },
)

test.each(['/%', '/tables/%', '/tables/%E0%A4%A', '/tables/mail_jobs/jobs/%', '/schedules/%'])(
  '%s, which is no address, is a page that is not there',
  async (path) => {
    expect(await answer(path)).toMatch(/^404 [\s\S]*There is no such/)
  },
)

test('a base path has whatever letters', async () => {
  for (const path of ['/größe/', '/gr%C3%B6%C3%9Fe'])
    expect(await answer(`${path}`, {}, { basePath: '/größe' })).toMatch(
      /^200 [\s\S]*href="\/gr%C3%B6%C3%9Fe\/tables\/mail_jobs"/,
    )
})

test.each(['//evil.example', '/\\evil.example'])(
  'a base path %s, which leads to another site, is refused',
  (basePath) => {
    expect(() => made({ basePath })).toThrow('give a path')
  },
)

test('one answer of authorize may be given again and again', async () => {
  const login = new Response('Who are you?', { status: 401 })
  const authorize = () => login
  for (const _ of [1, 2]) expect(await answer('/', {}, { authorize })).toBe('401 Who are you?')
})

test('a page that is followed begins no stream for who asks for its head alone', async () => {
  const response = await made()(new Request('http://jobs.example/?live=1', { method: 'HEAD' }))
  expect([response.status, response.headers.get('content-type')]).toEqual([200, 'text/html; charset=UTF-8'])
})

const retried = async (headers: Record<string, string>, body = 'verb=retry&of=all&sure=yes') => {
  const options = { method: 'POST', headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers }, body }
  return (await answer('/tables/mail_jobs/bulk', options)).slice(0, 3)
}

test.each(['application/json', 'x/y', 'text/plain', 'multipart/form-data; boundary=x'])(
  'what another site sends as %s changes nothing',
  async (type) => {
    await fillMails(db, [{ to: 'ada' }])
    const headers = { origin: 'http://evil.example', 'sec-fetch-site': 'cross-site', 'content-type': type }
    expect(await retried(headers)).toBe('403')
  },
)

test.each([
  ['two proxies', 'admin.example, proxy.internal'],
  ['a proxy that names the port', 'admin.example:443'],
])('a form of our own is taken behind %s', async (_, forwarded) => {
  expect(await retried({ origin: 'https://admin.example', 'x-forwarded-host': forwarded })).toBe('303')
  expect(await retried({ origin: 'https://admin.example:444', 'x-forwarded-host': forwarded })).toBe('403')
  expect(await retried({ origin: 'https://evil.example', 'x-forwarded-host': forwarded })).toBe('403')
})
