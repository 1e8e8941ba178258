import { Kysely, PostgresDialect } from 'kysely'
import { createWorker, enqueue } from 'kysely-jobs'
import { dashboard } from 'kysely-jobs/dashboard'
import { test as base, beforeEach, expect, onTestFinished } from 'vitest'
import { test, testBrowser } from '../support/browser.js'
import { testDatabase } from '../support/database.js'
import { serve } from '../support/serve.js'
import { createMailTable, fillMails, quiet, rowsIn } from './mail-table.js'

const { db, pool } = await testDatabase(createMailTable)
const pages = dashboard(db, { tables: ['mail_jobs'], authorize: () => 'all' })
const { url, server } = await serve(pages)
const open = testBrowser()
beforeEach(async () => {
  await fillMails(db, [])
})

test('a job that is enqueued, runs and ends is seen by whoever looks at the list', async () => {
  const ending = Promise.withResolvers<void>()
  const worker = createWorker(db, 'mail_jobs', async () => ending.promise, { listen: pool, logger: quiet })
  await worker.start()
  onTestFinished(async () => {
    await worker.stop()
  })
  const page = await open(`${url}/tables/mail_jobs`)
  await page.getByText('There are no jobs yet').waitFor()
  await enqueue(db, 'mail_jobs', { to: 'ada' })
  await page.locator('tbody .badge', { hasText: 'Running' }).waitFor()
  ending.resolve()
  await page.locator('tbody .badge', { hasText: 'Succeeded' }).waitFor()
  await page.locator('.states', { hasText: 'Succeeded 1' }).waitFor()
  await page.locator('.live', { hasText: 'Live' }).waitFor()
})

test('what the viewer types, has marked or has chosen stays while the page follows', async () => {
  await fillMails(db, [{ to: 'ada' }, { to: 'bob' }])
  const page = await open(`${url}/tables/mail_jobs?sort=to`)
  await page.getByLabel('Value').fill('half a w')
  await page.getByRole('combobox', { name: 'Is', exact: true }).selectOption('contains')
  await page.getByLabel('Apply to').selectOption('all')
  await page.locator('tbody input[name="id"]').first().check()
  await page.getByLabel('Value').focus()
  await db.updateTable('mail_jobs').set(rowsIn.failed).where('to', '=', 'bob').execute()
  await page.locator('.states', { hasText: 'Failed 1' }).waitFor()
  expect(await page.getByLabel('Value').inputValue()).toBe('half a w')
  expect(await page.locator(':focus').getAttribute('name')).toBe('value')
  expect(await page.getByRole('combobox', { name: 'Is', exact: true }).inputValue()).toBe('contains')
  expect(await page.getByLabel('Apply to').inputValue()).toBe('all')
  expect(await page.locator('tbody input:checked').count()).toBe(1)
})

test('what the viewer has opened or closed stays so', async () => {
  const [id] = await fillMails(db, [{ ...rowsIn.failed, payload: JSON.stringify({ a: { b: { c: { d: 1 } } } }) }])
  const page = await open(`${url}/tables/mail_jobs/jobs/${id}`)
  const trees = page.locator('.tree details')
  await trees.nth(2).locator('> summary').click()
  await trees.nth(0).locator('> summary').click()
  await db.updateTable('mail_jobs').set({ to: 'somebody else' }).execute()
  await page.getByText('somebody else').waitFor()
  const isOpen = await Promise.all((await trees.all()).map((tree) => tree.getAttribute('open')))
  expect(isOpen.map((value) => value !== null)).toEqual([false, true, true, false])
})

test('a page that nobody looks at is followed no more, and again when somebody does', async () => {
  const streams: Promise<void>[] = []
  const asked: string[] = []
  server.on('request', (request, response) => {
    if (!request.url?.includes('live=1')) return
    asked.push(request.url)
    streams.push(new Promise((resolve) => response.once('close', resolve)))
  })
  const page = await open(`${url}/tables/mail_jobs`)
  await page.locator('.live', { hasText: 'Live' }).waitFor()
  const look = (hidden: boolean) =>
    page.evaluate(`
      Object.defineProperty(document, 'hidden', { value: ${hidden}, configurable: true })
      document.dispatchEvent(new Event('visibilitychange'))`)
  await look(true)
  await streams[0]
  expect(asked).toHaveLength(1)
  await fillMails(db, [{ to: 'meanwhile' }])
  await look(false)
  await page.getByText('meanwhile').waitFor()
  expect(asked).toHaveLength(2)
})

/** What a stream says next. */
async function next(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<string> {
  for (;;) {
    const { value } = await reader.read()
    const text = new TextDecoder().decode(value)
    if (text.includes('data: ')) return text
  }
}

base('fifty pages of one address cost the database no more than one', async () => {
  let statements = 0
  const counted = new Kysely<any>({
    dialect: new PostgresDialect({ pool }),
    log: () => {
      statements += 1
    },
  })
  const handler = dashboard(counted, { tables: ['mail_jobs'], authorize: () => 'all' })
  const cost = async (viewers: number, path: string) => {
    statements = 0
    const readers = await Promise.all(
      Array.from({ length: viewers }, async () => {
        const { body } = await handler(new Request(`http://jobs.example${path}&live=1`))
        if (body === null) throw new Error('There is no stream')
        return body.getReader()
      }),
    )
    await Promise.all(readers.map(next))
    await Promise.all(readers.map((reader) => reader.cancel()))
    return statements
  }
  const one = await cost(1, '/tables/mail_jobs?state=due')
  expect(one).toBeGreaterThan(2)
  expect(await cost(50, '/tables/mail_jobs?state=due')).toBe(one)
})

base(
  'who does not read what they follow is told the latest when they do, and nothing is kept for them but that',
  async () => {
    const follow = async () => {
      const { body } = await pages(new Request('http://jobs.example/tables/mail_jobs?sort=to&live=1'))
      if (body === null) throw new Error('There is no stream')
      return body.getReader()
    }
    const [slow, other] = [await follow(), await follow()]
    for (const to of ['first', 'second', 'third']) {
      await fillMails(db, [{ to }])
      for (let text = ''; !text.includes(to); ) text = await next(other)
    }
    expect(await next(slow)).toContain('third')
    await fillMails(db, [{ to: 'fourth' }])
    expect(await next(slow)).toContain('fourth')
    await Promise.all([slow.cancel(), other.cancel()])
  },
)
