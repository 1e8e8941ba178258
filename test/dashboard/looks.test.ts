import axe, { type AxeResults } from 'axe-core'
import { sql } from 'kysely'
import { addSchedule } from 'kysely-jobs'
import { dashboard } from 'kysely-jobs/dashboard'
import type { Page } from 'playwright-core'
import { describe, expect } from 'vitest'
import { test, testBrowser } from '../support/browser.js'
import { testDatabase } from '../support/database.js'
import { serve } from '../support/serve.js'
import { createMailTable, fillMails, rowsIn } from './mail-table.js'

const { db } = await testDatabase(createMailTable)
const { url } = await serve(dashboard(db, { tables: ['mail_jobs'], authorize: () => ({ user: 'ada', may: 'all' }) }))
const open = testBrowser()

const payload = JSON.stringify({ user: { id: 42, tags: ['eu', 'new'] }, text: 'long '.repeat(100) })
await fillMails(
  db,
  Object.entries(rowsIn).map(([state, row]) => ({
    to: `${state}@example.com`,
    size: 7,
    mood: 'fine',
    payload,
    ...row,
  })),
)
await addSchedule(db, 'mail_jobs', { name: 'nightly', cron: '0 3 * * *', timeZone: 'Europe/Vienna', values: {} })
const { id } = await db
  .selectFrom('mail_jobs')
  .select('id')
  .where('status', '=', 'job_status_failed')
  .executeTakeFirstOrThrow()

const of = '/tables/mail_jobs'
const paths: readonly [name: string, path: string][] = [
  ['the overview', '/'],
  ['a list', of],
  ['a list with filters', `${of}?state=failed&where=size%3E1&sort=size`],
  ['an empty list', `${of}?where=size%3D8`],
  ['a filter that is none', `${of}?where=siz%3D8`],
  ['a job', `${of}/jobs/${id}`],
  ['the form of a job', `${of}/jobs/${id}/edit`],
  ['errors', `${of}/errors`],
  ['pauses and limits', `${of}/steering`],
  ['schedules', '/schedules'],
  ['statuses', '/statuses'],
  ['a page that there is not', '/nowhere'],
]

/** What axe finds, as lines that a person can act on. */
async function flaws(page: Page): Promise<string[]> {
  await page.evaluate(axe.source)
  const { violations } = (await page.evaluate(() =>
    (globalThis as unknown as { axe: typeof axe }).axe.run(),
  )) as AxeResults // as just loaded
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${id}: ${html} ${failureSummary}`),
  )
}

/** How many pixels of the page lie to the right of its window. */
const overhang = (page: Page) =>
  page.evaluate<number>('document.documentElement.scrollWidth - document.documentElement.clientWidth')

describe.each(paths)('%s', (_, path) => {
  test('has no flaw that axe knows, in light and in dark, and fits a phone', async () => {
    const page = await open(url + path, { colorScheme: 'light', reducedMotion: 'reduce' })
    expect(await flaws(page)).toEqual([])
    await page.emulateMedia({ colorScheme: 'dark' })
    await page.setViewportSize({ width: 360, height: 640 })
    expect(await overhang(page)).toBe(0)
    expect(await flaws(page)).toEqual([])
  })
})

test('what the doctor finds has no flaw, and fits a phone', async () => {
  await sql`alter table mail_jobs disable trigger did_insert_job_mail_jobs`.execute(db)
  const broken = await serve(dashboard(db, { tables: ['mail_jobs'], authorize: () => 'read' }))
  const page = await open(broken.url, { colorScheme: 'light', viewport: { width: 360, height: 640 } })
  await page.getByRole('button', { name: 'Copy' }).waitFor()
  expect([await flaws(page), await overhang(page)]).toEqual([[], 0])
  await page.emulateMedia({ colorScheme: 'dark' })
  expect(await flaws(page)).toEqual([])
  await sql`alter table mail_jobs enable trigger did_insert_job_mail_jobs`.execute(db)
})

test('the page that asks whether a bulk action is meant has no flaw, and fits a phone', async () => {
  const page = await open(`${url}${of}?state=due`, { viewport: { width: 360, height: 640 } })
  await page.getByLabel('Apply to').selectOption('all')
  await page.getByRole('button', { name: 'Reschedule…' }).click()
  await page.getByRole('button', { name: 'Reschedule 1 job' }).waitFor()
  expect([await flaws(page), await overhang(page)]).toEqual([[], 0])
})

test('all that can be clicked is reached by the tab key, in the order in which it is read', async () => {
  const page = await open(`${url + of}?state=failed`)
  const all = 'a[href], button, select, textarea, summary, input:not([type=hidden])'
  // By the elements themselves, as a page that follows brings their attributes back.
  const expected = await page.evaluate<number>(`(all = [...document.querySelectorAll('${all}')]).length`)
  const reached: number[] = []
  for (let place = 0; place < expected; place++) {
    await page.keyboard.press('Tab')
    reached.push(await page.evaluate<number>('all.indexOf(document.activeElement)'))
  }
  expect(reached).toEqual(Array.from({ length: expected }, (_, place) => place))
})

test('the first tab stop leads past the menu', async () => {
  const page = await open(url + of)
  await page.keyboard.press('Tab')
  expect(await page.locator(':focus').innerText()).toBe('Skip to content')
  await page.keyboard.press('Enter')
  expect(new URL(page.url()).hash).toBe('#main')
})

test('a slash goes to the filter, and is a slash where one types', async () => {
  const page = await open(url + of)
  await page.keyboard.press('/')
  await page.keyboard.type('a/b')
  expect(await page.getByLabel('Value').inputValue()).toBe('a/b')
})
