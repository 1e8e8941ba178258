import { request } from 'node:http'
import { connect, createServer } from 'node:http2'
import type { AddressInfo } from 'node:net'
import express from 'express'
import { dashboard, nodeHandler } from 'kysely-jobs/dashboard'
import { createJobTable } from 'kysely-jobs/migrate'
import { expect, test } from 'vitest'
import { testDatabase } from '../support/database.js'
import { serveListener } from '../support/serve.js'

// What apps put before the dashboard: parsers that have read the form already, proxies, and routers that take a part of the path off.

const { db } = await testDatabase((handle) =>
  createJobTable(handle, 'mail_jobs', (table) => table.addColumn('to', 'text').addColumn('a[b]', 'text')),
)
const jobs = dashboard(db, { tables: ['mail_jobs'], authorize: () => 'all', basePath: '/admin/jobs' })

const headers = { 'content-type': 'application/x-www-form-urlencoded', 'sec-fetch-site': 'same-origin' }
const post = (url: string, form: URLSearchParams, more: Record<string, string> = {}) =>
  fetch(url, { method: 'POST', headers: { ...headers, ...more }, body: form.toString(), redirect: 'manual' })

test.each([
  ['none', []],
  ['one that makes objects', [express.urlencoded({ extended: true })]],
  ['one that makes objects of names alone', [express.urlencoded({ extended: false })]],
  ['one that makes a text', [express.text({ type: '*/*' })]],
  ['one that makes bytes', [express.raw({ type: '*/*' })]],
  ['one for JSON alone', [express.json()]],
])('behind a parser of bodies (%s) a form is what was sent', async (_, parsers) => {
  const app = express()
  for (const parser of parsers) app.use(parser)
  app.use('/admin/jobs', nodeHandler(jobs))
  const { url } = await serveListener(app)
  await db.deleteFrom('mail_jobs').execute()
  const rows = await db
    .insertInto('mail_jobs')
    .values(Array.from({ length: 60 }, () => ({ to: 'ada', 'a[b]': 'c' })))
    .returning('id')
    .execute()
  const marked = new URLSearchParams({ verb: 'retry' })
  for (const { id } of rows) marked.append('id', id)
  const asked = await post(`${url}/admin/jobs/tables/mail_jobs/bulk`, marked)
  expect(await asked.text()).toContain('<strong>60 jobs</strong>')
  const edit = new URLSearchParams({ 'value:a[b]': 'ä&=\r\n"x"', 'was:a[b]': 'c', 'value:to': 'ada', 'was:to': 'ada' })
  expect((await post(`${url}/admin/jobs/tables/mail_jobs/jobs/${rows[0]?.id}/edit`, edit)).status).toBe(303)
  const { 'a[b]': written } = await db
    .selectFrom('mail_jobs')
    .select('a[b]')
    .where('id', '=', rows[0]?.id)
    .executeTakeFirstOrThrow()
  expect(written).toBe('ä&=\n"x"')
})

test('a form of more than four megabytes is refused, by whomever it is read', async () => {
  const app = express()
  app.use('/parsed/admin/jobs', express.urlencoded({ limit: '10mb' }), nodeHandler(jobs))
  app.use('/admin/jobs', nodeHandler(jobs))
  const { url } = await serveListener(app)
  const large = new URLSearchParams({ 'value:to': 'x'.repeat(4_200_000) })
  expect((await post(`${url}/admin/jobs/tables/mail_jobs/bulk`, large)).status).toBe(413)
})

test('a form whose length is not told beforehand is taken, and refused where it is too long', async () => {
  const { url } = await serveListener(nodeHandler(jobs))
  const send = (...parts: string[]) =>
    new Promise<number | undefined>((resolve, reject) => {
      const asked = request(`${url}/admin/jobs/tables/mail_jobs/bulk`, { method: 'POST', headers })
      asked.once('response', (response) => resolve(response.resume().statusCode)).once('error', reject)
      for (const part of parts) asked.write(part)
      asked.end()
    })
  expect(await send('verb=retry', '&id=1')).toBe(200)
  expect(await send('verb=retry&value=', ...Array.from({ length: 5 }, () => 'x'.repeat(1_000_000)))).toBe(413)
})

test('by HTTP/2 pages are shown and forms are taken', async () => {
  const server = createServer(nodeHandler(jobs) as never) // its requests are made to look like those of HTTP/1
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo // of a port
  const client = connect(`http://127.0.0.1:${port}`)
  const ask = (path: string, more: Record<string, string> = {}, body?: string) =>
    new Promise((resolve, reject) => {
      const stream = client.request({ ':path': `/admin/jobs${path}`, ...more })
      stream.once('response', (answer) => resolve(answer[':status'])).once('error', reject)
      stream.end(body)
    })
  expect(await ask('/')).toBe(200)
  expect(await ask('/tables/mail_jobs/bulk', { ':method': 'POST', ...headers }, 'verb=retry&id=1')).toBe(200)
  client.destroy()
  server.close()
})

test('behind a proxy that ends TLS and names the host, forms of our own are taken and those of others are not', async () => {
  const { url } = await serveListener(nodeHandler(jobs))
  const form = new URLSearchParams({ verb: 'retry', id: '1' })
  const ask = (origin: string, more: Record<string, string>) =>
    fetch(`${url}/admin/jobs/tables/mail_jobs/bulk`, {
      method: 'POST',
      headers: { 'content-type': headers['content-type'], origin, ...more },
      body: form.toString(),
    })
  const proxied = { 'x-forwarded-host': 'app.example', 'x-forwarded-proto': 'https' }
  expect((await ask('https://app.example', proxied)).status).toBe(200)
  expect((await ask('https://evil.example', proxied)).status).toBe(403)
  expect((await ask('https://app.example', {})).status).toBe(403)
})

test('a router that takes the mount path off, and one that leaves it, lead to the same pages', async () => {
  const app = express()
  const inner = express.Router()
  inner.use('/jobs', nodeHandler(jobs))
  app.use('/admin', inner)
  const { url } = await serveListener(app)
  for (const path of ['/admin/jobs', '/admin/jobs/', '/admin/jobs/tables/mail_jobs?sort=to', '/admin/jobs/schedules'])
    expect([path, (await fetch(url + path)).status]).toEqual([path, 200])
})

test('who goes away while a page is followed ends the stream', async () => {
  const { url, server } = await serveListener(nodeHandler(jobs))
  const closed = new Promise<void>((resolve) =>
    server.once('request', (_, response) => response.once('close', () => resolve())),
  )
  const leaving = new AbortController()
  await fetch(`${url}/admin/jobs/tables/mail_jobs?live=1`, { signal: leaving.signal })
  leaving.abort()
  await closed
})
