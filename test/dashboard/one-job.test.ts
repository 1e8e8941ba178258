import { hostname } from 'node:os'
import { sql } from 'kysely'
import { createRunner, createWorker } from 'kysely-jobs'
import { type ActionEvent, dashboard } from 'kysely-jobs/dashboard'
import { createJobRunners } from 'kysely-jobs/migrate'
import type { Page } from 'playwright-core'
import { beforeEach, expect, onTestFinished } from 'vitest'
import { test, testBrowser } from '../support/browser.js'
import { testDatabase } from '../support/database.js'
import { serve } from '../support/serve.js'
import { createMailTable, fillMails, quiet, rowsIn } from './mail-table.js'

const { db, pool } = await testDatabase(async (handle) => {
  await createMailTable(handle)
  await createJobRunners(handle)
})
const told: ActionEvent[] = []
const { url } = await serve(
  dashboard(db, {
    tables: ['mail_jobs'],
    authorize: () => ({ user: 'ada', may: 'all' }),
    onAction: (event) => told.push(event),
  }),
)
const open = testBrowser()
beforeEach(() => told.splice(0))

/** The page of the only job. All that is done by it is done without JavaScript. */
async function openJob(row: Readonly<Record<string, unknown>>): Promise<{ page: Page; id: string }> {
  const [id = ''] = await fillMails(db, [{ to: 'grace', ...row }])
  const page = await open(`${url}/tables/mail_jobs/jobs/${id}`, { javaScriptEnabled: false })
  await page.getByRole('heading', { name: `Job ${id}` }).waitFor()
  return { page, id }
}

/** Asks for an action, and says on its next page that it is meant. */
async function act(page: Page, label: string, value?: string): Promise<void> {
  await page.getByRole('button', { name: `${label}…` }).click()
  if (value !== undefined) await page.locator('input[name="value"]').fill(value)
  await page.getByRole('button', { name: `${label} 1 job` }).click()
}

const jobs = () =>
  db.selectFrom('mail_jobs').selectAll().select(sql`run_at <= now()`.as('is_due')).orderBy('created_at').execute()

test('a job is shown whole: its columns, its payload as a tree, what became of it and its stack', async () => {
  const { page } = await openJob({
    ...{ ...rowsIn.failed, to: 'grace', payload: JSON.stringify({ user: { id: 42, tags: ['eu'] } }) },
    ...{ started_at: '2026-01-01T00:00:00Z', finished_at: '2026-01-01T00:00:03Z' },
  })
  const main = await page.locator('main').innerText()
  for (const text of ['grace', 'Failed', 'no such address', 'Attempts', 'Handler began', 'null'])
    expect(main).toContain(text)
  expect(await page.locator('.tree-key').allTextContents()).toEqual(['user', 'id', 'tags', '0'])
  await page.getByText('Error: no such address').last().click()
  await page.getByText('at send (mail.js:3)').last().waitFor()
})

test('who saves the form of a job and has changed nothing in it has changed nothing of the job', async () => {
  const { page, id } = await openJob({ to: 'line\rof an old Mac', mood: null, payload: '{"a": 1}' })
  const before = await jobs()
  await page.getByRole('link', { name: 'Edit' }).click()
  await page.getByRole('button', { name: 'Save', exact: true }).click()
  await page.getByRole('heading', { name: `Job ${id}` }).waitFor()
  expect(await jobs()).toEqual(before)
  expect(told).toEqual([])
})

test('only what was changed in its form is written, and it may run again at once', async () => {
  const { page, id } = await openJob({ ...rowsIn.failed, to: 'grace', size: 1, vip: true, payload: '{"a": 1}' })
  await page.getByRole('link', { name: 'Edit' }).click()
  await page.getByLabel('to (text)').fill('ada')
  await page.getByLabel('mood (mood)').selectOption('fine')
  await page.getByRole('button', { name: 'Save', exact: true }).click()
  await page.getByRole('heading', { name: `Job ${id}` }).waitFor()
  expect(await jobs()).toMatchObject([
    { to: 'ada', mood: 'fine', size: 1, vip: true, payload: { a: 1 }, status: 'job_status_failed' },
  ])
  await page.getByRole('link', { name: 'Edit' }).click()
  await page.getByLabel('payload (jsonb)').fill('{"a":\n2}')
  await page.getByRole('button', { name: 'Save and retry' }).click()
  await page.getByRole('heading', { name: `Job ${id}` }).waitFor()
  expect(await jobs()).toMatchObject([{ payload: { a: 2 }, status: 'job_status_not_started', attempts_count: 0 }])
  expect(told.map(({ action, of, user }) => [action, of, user])).toEqual([
    ['edit', id, 'ada'],
    ['edit', id, 'ada'],
    ['retry', id, 'ada'],
  ])
})

test('a text keeps the lines that it has, also an empty first one', async () => {
  const { page } = await openJob({ to: '\n\nDear Grace,\n\nx\n', size: 1 })
  await page.getByRole('link', { name: 'Edit' }).click()
  await page.getByLabel('size (integer)').fill('2')
  await page.getByRole('button', { name: 'Save', exact: true }).click()
  await page.getByRole('heading', { name: /^Job / }).waitFor()
  expect(await jobs()).toMatchObject([{ to: '\n\nDear Grace,\n\nx\n', size: 2 }])
})

test('a value that the table does not take is refused with what Postgres says, and nothing is written', async () => {
  const { page } = await openJob({ to: 'grace', size: 1 })
  await page.getByRole('link', { name: 'Edit' }).click()
  await page.getByLabel('size (integer)').fill('many')
  await page.getByRole('button', { name: 'Save', exact: true }).click()
  expect(await page.locator('main').innerText()).toMatch(/Nothing was changed[\s\S]*many/)
  expect(await jobs()).toMatchObject([{ size: 1 }])
})

test('a form with a mistake stays filled in, with the error at its field, and is taken once it is mended', async () => {
  const { page, id } = await openJob({ to: 'grace', size: 1, mood: 'sad' })
  await page.getByRole('link', { name: 'Edit' }).click()
  await page.getByLabel('to (text)').fill('ada')
  await page.getByLabel('size (integer)').fill('many')
  await page.getByRole('button', { name: 'Save', exact: true }).click()
  expect(await page.locator('.field', { hasText: 'size (integer)' }).innerText()).toContain('"many" is no value')
  expect(await page.getByLabel('to (text)').inputValue()).toBe('ada')
  expect(await page.getByLabel('size (integer)').inputValue()).toBe('many')
  await page.getByLabel('size (integer)').fill('2')
  await page.getByRole('button', { name: 'Save', exact: true }).click()
  await page.getByRole('heading', { name: `Job ${id}` }).waitFor()
  expect(await jobs()).toMatchObject([{ to: 'ada', size: 2, mood: 'sad' }])
})

test('a copy is another job, and its page is shown', async () => {
  const { page, id } = await openJob({ ...rowsIn.failed, to: 'grace' })
  await page.getByRole('button', { name: 'Enqueue a copy…' }).click()
  expect(await jobs()).toHaveLength(1)
  await page.getByRole('button', { name: 'Enqueue a copy' }).click()
  const copy = (await jobs()).find((job) => job.id !== id)
  expect(copy).toMatchObject({ to: 'grace', status: 'job_status_not_started', attempts_count: 0, last_error: null })
  await page.getByRole('heading', { name: `Job ${copy?.id}` }).waitFor()
})

test.each([
  ['Retry', rowsIn.failed, undefined, { status: 'job_status_not_started', attempts_count: 0 }],
  ['Run now', rowsIn.scheduled, undefined, { is_due: true }],
  ['Reschedule', rowsIn.due, '2030-12-24 18:00+01', { run_at: new Date('2030-12-24T17:00:00Z') }],
  ['Priority', rowsIn.due, '7', { priority: 7 }],
  [
    'Cancel',
    rowsIn.due,
    'no longer wanted',
    { status: 'job_status_cancelled', last_error: 'Cancelled: no longer wanted' },
  ],
] as const)('%s asks once more, and then does it', async (label, row, value, expected) => {
  const { page } = await openJob(row)
  await act(page, label, value)
  await page.getByText(/^1 job was [a-z]/).waitFor()
  expect(await jobs()).toMatchObject([expected])
})

test('a job that is deleted is gone, and its page says so', async () => {
  const { page, id } = await openJob(rowsIn.failed)
  await act(page, 'Delete')
  await page.getByText(/^1 job was [a-z]/).waitFor()
  expect(await jobs()).toEqual([])
  const response = await page.goto(`${url}/tables/mail_jobs/jobs/${id}`)
  expect(response?.status()).toBe(404)
  expect(await page.locator('main').innerText()).toContain('There is no such job')
})

test.each([
  ['Reschedule', 'next week'],
  ['Priority', '1.5'],
] as const)('%s to %s is refused, and nothing is changed', async (label, value) => {
  const { page } = await openJob({ ...rowsIn.due, priority: 1 })
  const [before] = await jobs()
  await page.getByRole('button', { name: `${label}…` }).click()
  // A browser lets nobody type such a number
  await page.locator('input[name="value"]').evaluate((field) => field.setAttribute('type', 'text'))
  await page.locator('input[name="value"]').fill(value)
  await page.getByRole('button', { name: `${label} 1 job` }).click()
  await page.getByRole('alert').waitFor()
  expect(await page.getByRole('alert').innerText()).toContain(value)
  expect(await page.locator('input[name="value"]').getAttribute('value')).toBe(value)
  expect(await jobs()).toEqual([before])
})

test('a job that runs names the process that runs it', async () => {
  const begun = Promise.withResolvers<void>()
  const over = Promise.withResolvers<void>()
  const [id] = await fillMails(db, [{ to: 'grace' }])
  const handler = () => {
    begun.resolve()
    return over.promise
  }
  const worker = createWorker(db, 'mail_jobs', handler, { logger: quiet } as never)
  const runner = createRunner(db, { workers: [worker], logger: quiet })
  await runner.start()
  onTestFinished(async () => {
    over.resolve()
    await runner.stop()
  })
  await begun.promise
  const page = await open(`${url}/tables/mail_jobs/jobs/${id}`, { javaScriptEnabled: false })
  expect(await page.locator('main').innerText()).toContain(`${hostname()} ${process.pid}`)
})

test('what made a job fail before it succeeded is told as what is over', async () => {
  const { page } = await openJob({ ...rowsIn.succeeded, last_error: 'Error: smtp was away' })
  const main = await page.locator('main').innerText()
  expect(main).toContain('Last error, before it succeeded')
})

test('a job that runs can be cancelled: its handler is told, and it ends as cancelled', async () => {
  const aborted = Promise.withResolvers<unknown>()
  const begun = Promise.withResolvers<void>()
  await fillMails(db, [])
  const worker = createWorker(
    db,
    'mail_jobs',
    async (_, { signal }) => {
      begun.resolve()
      return new Promise((_, reject) => {
        signal.addEventListener('abort', () => {
          aborted.resolve(signal.reason)
          reject(signal.reason)
        })
      })
    },
    { listen: pool, logger: quiet },
  )
  await worker.start()
  onTestFinished(async () => {
    await worker.stop()
  })
  await db.insertInto('mail_jobs').values({ to: 'ada' }).execute()
  await begun.promise
  const page = await open(`${url}/tables/mail_jobs?state=running`, { javaScriptEnabled: false })
  await page.locator('tbody th a').click()
  expect(await page.getByRole('link', { name: 'Edit' }).count()).toBe(0) // its handler has read the columns
  await act(page, 'Cancel', '')
  await aborted.promise
  await page.getByText(/^1 job was [a-z]/).waitFor()
  expect(await jobs()).toMatchObject([{ status: 'job_status_cancelled' }])
})
