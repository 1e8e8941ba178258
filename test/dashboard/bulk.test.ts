import { sql } from 'kysely'
import { addSchedule, listSchedules } from 'kysely-jobs'
import { type ActionEvent, dashboard } from 'kysely-jobs/dashboard'
import { beforeEach, expect } from 'vitest'
import { test, testBrowser } from '../support/browser.js'
import { testDatabase } from '../support/database.js'
import { serve } from '../support/serve.js'
import { createMailTable, fillMails, rowsIn } from './mail-table.js'

const { db } = await testDatabase(createMailTable)
const told: ActionEvent[] = []
const { url } = await serve(
  dashboard(db, { tables: ['mail_jobs'], authorize: () => 'all', onAction: (event) => told.push(event) }),
)
const open = testBrowser()
beforeEach(() => told.splice(0))

/** All of it can be done without JavaScript. */
const withoutScript = { javaScriptEnabled: false }

async function statuses(): Promise<Record<string, string>> {
  const rows = await db.selectFrom('mail_jobs').select(['to', 'status']).orderBy('to').execute()
  return Object.fromEntries(rows.map(({ to, status }) => [to, status.replace('job_status_', '')]))
}

test('the jobs that are marked are counted, asked about and changed, and no others', async () => {
  const ids = await fillMails(
    db,
    ['a', 'b', 'c'].map((to) => ({ to, ...rowsIn.failed })),
  )
  const page = await open(`${url}/tables/mail_jobs?sort=to`, withoutScript)
  for (const place of [0, 2]) await page.locator('tbody input[name="id"]').nth(place).check()
  await page.getByRole('button', { name: 'Retry…' }).click()
  expect(await page.locator('main').innerText()).toMatch(
    /2 jobs of mail_jobs would run again[\s\S]*Left alone\s+running jobs/,
  )
  expect(await page.locator('.chips code').allTextContents()).toEqual([ids[0], ids[2]])
  expect(await statuses()).toEqual({ a: 'failed', b: 'failed', c: 'failed' })
  await page.getByRole('button', { name: 'Retry 2 jobs' }).click()
  await page.getByText(/^2 jobs were [a-z]/).waitFor()
  expect(await statuses()).toEqual({ a: 'not_started', b: 'failed', c: 'not_started' })
  expect(told).toEqual([{ user: undefined, action: 'retry', table: 'mail_jobs', of: '2 jobs', changed: 2 }])
})

test('all that match a filter and a state are changed, also those of other pages', async () => {
  const rows = Array.from({ length: 120 }, (_, n) => ({ to: `t${n}`, size: n, ...rowsIn.failed }))
  await fillMails(db, [...rows, { to: 'due', size: 50 }])
  const page = await open(`${url}/tables/mail_jobs?state=failed&where=size%3E%3D20`, withoutScript)
  await page.getByLabel('Apply to').selectOption('all')
  await page
    .getByRole('button', { name: 'Cancel…' })
    .or(page.getByRole('button', { name: 'Delete…' }))
    .click()
  expect(await page.locator('main').innerText()).toMatch(/100 jobs of mail_jobs would be deleted/)
  expect(await page.locator('.chips').innerText()).toMatch(/Failed[\s\S]*size>=20/)
  await page.getByRole('button', { name: 'Delete 100 jobs' }).click()
  await page.getByText('100 jobs were deleted').waitFor()
  expect(await page.getByRole('link', { name: 'Back to the list' }).getAttribute('href')).toBe(
    '/tables/mail_jobs?state=failed&where=size%3E%3D20',
  )
  const left = await statuses()
  expect([Object.keys(left).length, left.due]).toEqual([21, 'not_started'])
  expect(told).toMatchObject([{ action: 'delete', of: 'state: failed, where: size>=20', changed: 100 }])
})

test('jobs of one kind of error are asked about by what the error says', async () => {
  await fillMails(db, [
    { to: 'a', ...rowsIn.failed, last_error: 'Error: no such address' },
    { to: 'b', ...rowsIn.failed, last_error: 'Error: the shop is closed' },
  ])
  const page = await open(`${url}/tables/mail_jobs/errors`, withoutScript)
  await page.locator('tr', { hasText: 'shop' }).getByRole('link').first().click()
  expect(await page.locator('.chips').innerText()).toContain('errors like: Error: the shop is closed')
  await page.getByLabel('Apply to').selectOption('all')
  await page.getByRole('button', { name: 'Retry…' }).click()
  expect(await page.locator('main').innerText()).toMatch(/1 job of mail_jobs[\s\S]*like: Error: the shop is closed/)
})

test('who marks nothing is told so', async () => {
  await fillMails(db, [{ to: 'a', ...rowsIn.failed }])
  const page = await open(`${url}/tables/mail_jobs`, withoutScript)
  await page.getByRole('button', { name: 'Retry…' }).click()
  expect(await page.getByRole('alert').innerText()).toContain('No job was marked')
  expect(await page.locator('tbody tr').count()).toBe(1)
})

test('the box at the head marks all jobs of the page', async () => {
  await fillMails(db, [{ to: 'a' }, { to: 'b' }])
  const page = await open(`${url}/tables/mail_jobs`)
  await page.getByLabel('All jobs of this page').check()
  expect(await page.locator('tbody input:checked').count()).toBe(2)
  await page.getByLabel('All jobs of this page').uncheck()
  expect(await page.locator('tbody input:checked').count()).toBe(0)
})

test('a run shows how far it is, and stops when it is told', async () => {
  await fillMails(db, [])
  await sql`insert into mail_jobs ("to", status) select n::text, 'job_status_failed' from generate_series(1, 3000) as n`.execute(
    db,
  )
  // Whoever holds a row that comes in a later chunk holds the run up.
  const held = Promise.withResolvers<void>()
  const released = Promise.withResolvers<void>()
  const holding = db.transaction().execute(async (trx) => {
    await sql`select from mail_jobs where "to" = '1500' for update`.execute(trx)
    held.resolve()
    await released.promise
  })
  await held.promise
  const page = await open(`${url}/tables/mail_jobs?state=failed`)
  await page.getByLabel('Apply to').selectOption('all')
  await page.getByRole('button', { name: 'Retry…' }).click()
  await page.getByRole('button', { name: /^Retry 3,000/ }).click()
  await page.getByText(/of 3,000 jobs/).waitFor() // the page follows the run by itself
  await page.getByRole('button', { name: 'Stop after this chunk' }).click()
  released.resolve()
  await holding
  await page.getByText(/^2,000 jobs were [a-z]/).waitFor()
  await page.getByRole('heading', { name: 'Retry: stopped' }).waitFor()
  const { count } = await db
    .selectFrom('mail_jobs')
    .select(db.fn.countAll().as('count'))
    .where('status', '=', 'job_status_failed')
    .executeTakeFirstOrThrow()
  expect(Number(count)).toBe(1_000)
})

test('a schedule is run at once, paused, resumed and removed', async () => {
  await fillMails(db, [])
  await addSchedule(db, 'mail_jobs', {
    name: 'nightly',
    cron: '0 3 * * *',
    timeZone: 'Europe/Vienna',
    values: { to: 'all' },
  })
  const page = await open(`${url}/schedules`, withoutScript)
  expect(await page.locator('tbody').innerText()).toMatch(
    /nightly[\s\S]*0 3 \* \* \*[\s\S]*Europe\/Vienna[\s\S]*03:00 (?:CET|CEST|GMT)/,
  )
  await page.getByRole('button', { name: 'Run now…' }).click()
  expect(await statuses()).toEqual({})
  await page.getByRole('button', { name: 'Run now' }).click()
  await page.getByRole('heading', { name: /^Job / }).waitFor()
  expect(await statuses()).toEqual({ all: 'not_started' })
  await page.getByRole('link', { name: 'Schedules' }).click()
  await page.getByRole('button', { name: 'Pause' }).click()
  await page.getByText('Paused').waitFor()
  await page.getByRole('button', { name: 'Resume' }).click()
  await page.getByRole('button', { name: 'Pause' }).waitFor()
  await page.getByRole('button', { name: 'Remove…' }).click()
  await page.getByRole('button', { name: 'Remove' }).click()
  await page.getByText('There are no recurring jobs').waitFor()
  expect(await listSchedules(db, 'mail_jobs')).toEqual([])
})
