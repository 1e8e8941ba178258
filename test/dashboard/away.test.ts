import { Kysely, PostgresDialect, sql } from 'kysely'
import { dashboard } from 'kysely-jobs/dashboard'
import { createJobTable } from 'kysely-jobs/migrate'
import { expect, type TestContext, test } from 'vitest'
import { quietPool, testDatabase } from '../support/database.js'
import { startProxy } from '../support/proxy.js'
import { createMailTable, fillMails } from './mail-table.js'

const { db, url } = await testDatabase(async (handle) => {
  await createMailTable(handle)
  await createJobTable(handle, 'locked_jobs')
})
await fillMails(db, [{ to: 'ada' }])

/** A dashboard of its own, at a database that may be hard to reach. */
function dashboardAt({ onTestFinished }: TestContext, connectionString: string, max = 5) {
  const pool = quietPool({ connectionString, max })
  const handle = new Kysely<any>({ dialect: new PostgresDialect({ pool }) })
  onTestFinished(() => void handle.destroy().catch(() => {}))
  const handler = dashboard(handle, { tables: ['mail_jobs', 'locked_jobs'], authorize: () => 'all' })
  return async (path: string) => {
    const response = await handler(new Request(`http://jobs.example${path}`))
    const text = (await response.text()).replace(/<head>[\s\S]*<main[^>]*>/, '')
    return { status: response.status, text }
  }
}

const isWell = { status: 200, text: expect.stringContaining('ada') }
const isAway = { status: 503, text: expect.stringContaining('The database does not answer') }

test.concurrent('a table that is locked: the page says so within its limit, and is there again afterwards', async (context) => {
  const ask = dashboardAt(context, url)
  const locked = Promise.withResolvers<void>()
  const release = Promise.withResolvers<void>()
  const lock = db.transaction().execute(async (trx) => {
    await sql`lock table locked_jobs in access exclusive mode`.execute(trx)
    locked.resolve()
    await release.promise
  })
  await locked.promise
  expect(await ask('/tables/locked_jobs')).toMatchObject(isAway)
  // What is not of that table does not wait.
  expect(await ask('/tables/mail_jobs')).toMatchObject(isWell)
  release.resolve()
  await lock
  expect(await ask('/tables/locked_jobs')).toMatchObject({ status: 200 })
})

test.concurrent('a database that is down: the page says so at once, and is there again with it', async (context) => {
  const proxy = await startProxy(url)
  context.onTestFinished(proxy.close)
  const ask = dashboardAt(context, proxy.url)
  proxy.leadTo('postgres://127.0.0.1:1/none')
  expect(await ask('/tables/mail_jobs')).toMatchObject(isAway)
  proxy.leadTo(url)
  expect(await ask('/tables/mail_jobs')).toMatchObject(isWell)
})

test.concurrent('a connection that is cut amid a page: the page says so, and the next one is made', async (context) => {
  const proxy = await startProxy(url)
  context.onTestFinished(proxy.close)
  const ask = dashboardAt(context, proxy.url)
  const cut = proxy.cut('after', (statement) => statement.includes('statement_timeout'))
  expect(await ask('/tables/mail_jobs')).toMatchObject(isAway)
  await cut
  expect(await ask('/tables/mail_jobs')).toMatchObject(isWell)
})

test.concurrent('a network that loses everything: no page hangs, and the next is made when it is back', async (context) => {
  const proxy = await startProxy(url)
  context.onTestFinished(proxy.close)
  const ask = dashboardAt(context, proxy.url)
  expect(await ask('/tables/mail_jobs')).toMatchObject(isWell)
  proxy.swallow()
  expect(await ask('/tables/mail_jobs')).toMatchObject(isAway)
  proxy.heal()
  expect(await ask('/tables/mail_jobs')).toMatchObject(isWell)
})

test.concurrent('a pool whose connections are all taken: the page says so, with the remedy', async (context) => {
  const pool = quietPool({ connectionString: url, max: 1 })
  const handle = new Kysely<any>({ dialect: new PostgresDialect({ pool }) })
  context.onTestFinished(() => void handle.destroy().catch(() => {}))
  const handler = dashboard(handle, { tables: ['mail_jobs'], authorize: () => 'all' })
  const client = await pool.connect()
  const response = await handler(new Request('http://jobs.example/tables/mail_jobs'))
  expect([response.status, await response.text()]).toEqual([503, expect.stringContaining('give it more, by `max`')])
  client.release()
  expect((await handler(new Request('http://jobs.example/tables/mail_jobs'))).status).toBe(200)
})

test.concurrent('a table that there is not: its page says so, and others are there', async (context) => {
  const ask = dashboardAt(context, url)
  const handler = dashboard(db, { tables: ['no_such_jobs'], authorize: () => 'all' })
  const response = await handler(new Request('http://jobs.example/tables/no_such_jobs'))
  expect(response.status).toBe(500)
  expect(await response.text()).toContain('no_such_jobs')
  expect(await ask('/tables/mail_jobs')).toMatchObject(isWell)
})
