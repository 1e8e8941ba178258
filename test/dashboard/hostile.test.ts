import { sql } from 'kysely'
import { addSchedule, pauseJobs } from 'kysely-jobs'
import { dashboard } from 'kysely-jobs/dashboard'
import { createJobPauses, createJobSchedules, createJobTable } from 'kysely-jobs/migrate'
import type { Page } from 'playwright-core'
import { expect } from 'vitest'
import { test, testBrowser } from '../support/browser.js'
import { testDatabase } from '../support/database.js'
import { serve } from '../support/serve.js'

// Whoever writes to a job's columns is a stranger to who looks at it: nothing of what they write may run, or become part of a page.

const hostile = `"'></title></textarea></script><img src=x onerror=alert(1)><script>alert(2)</script>\n\nevent: x\ndata: <img src=x onerror=alert(3)>`
/** A name in Postgres has 63 bytes. */
const shortHostile = `"'><img src=x onerror=alert(4)><script>alert(5)</script>`
const table = `j"'><svg onload=alert(6)>`

const { db } = await testDatabase(async (handle) => {
  await sql`create type mood as enum ('fine', ${sql.lit(shortHostile)})`.execute(handle)
  await createJobTable(handle, table, (columns) =>
    columns
      .addColumn('text', 'text')
      .addColumn(shortHostile, 'text')
      .addColumn('mood', sql`mood`)
      .addColumn('json', 'jsonb'),
  )
  await createJobSchedules(handle)
  await createJobPauses(handle)
})
await db
  .insertInto(table)
  .values({
    ...{ text: hostile, [shortHostile]: hostile, mood: shortHostile, last_error: hostile },
    ...{ json: JSON.stringify({ [hostile]: hostile }), status: 'job_status_failed', attempts_count: 1 },
  })
  .execute()
const { id } = await db.selectFrom(table).select('id').executeTakeFirstOrThrow()
await addSchedule(db, table, { name: shortHostile, every: '1h', values: { text: hostile } })

await pauseJobs(db, table, { reason: hostile })
await pauseJobs(db, table, { where: { text: shortHostile }, reason: hostile })

const authorize = () => ({ user: hostile, may: 'all' as const })
const tables = { [table]: { title: hostile, link: () => 'javascript:alert(7)' } }
const { url } = await serve(dashboard(db, { tables, title: hostile, authorize }))
const open = testBrowser()
const of = `/tables/${encodeURIComponent(table)}`

/** What the page has that none of our pages has. */
function intruders(page: Page): Promise<string[]> {
  return page.evaluate(`
    [...document.querySelectorAll('img, iframe, body script, main svg[onload], base, a, form')]
      .filter((element) => !(element instanceof HTMLAnchorElement && element.protocol.startsWith('http')))
      .filter((element) => !(element instanceof HTMLFormElement && element.action.startsWith(location.origin)))
      .map((element) => element.outerHTML)`)
}

const asked = encodeURIComponent(hostile)

test.each([
  ['an overview', '/'],
  ['a list', of],
  ['a list with a filter', `${of}?where=${encodeURIComponent(`text~${shortHostile}`)}`],
  ['a list with a filter that is none', `${of}?where=${asked}&state=${asked}&sort=${asked}`],
  ['a list whose place is none', `${of}?after=${asked}`],
  ['a job', `${of}/jobs/${id}`],
  ['the form of a job', `${of}/jobs/${id}/edit`],
  ['a job that there is not', `${of}/jobs/${asked}?key=${asked}`],
  ['a run that there is not', `${of}/runs/${asked}`],
  ['errors', `${of}/errors`],
  ['pauses and limits', `${of}/steering`],
  ['schedules', '/schedules'],
  ['a table that there is not', `/tables/${asked}`],
  ['a page that there is not', `/${asked}?${asked}`],
])('nothing of what others wrote runs in %s', async (_, path) => {
  const page = await open(url + path)
  expect(await intruders(page)).toEqual([])
})

test('what others wrote is shown as they wrote it, also where the page follows by itself', async () => {
  const page = await open(`${url}${of}/jobs/${id}`)
  expect(await page.locator('main').innerText()).toContain('<img src=x onerror=alert(1)>')
  await db
    .updateTable(table)
    .set({ text: `${hostile} anew` })
    .execute()
  await page.getByText('alert(3)> anew').waitFor()
  expect(await intruders(page)).toEqual([])
})

test('an action on such a job says what it is about, and nothing runs', async () => {
  const page = await open(`${url}${of}?where=${encodeURIComponent('text~<img src=x')}`)
  await page.getByLabel('Apply to').selectOption('all')
  await page.getByRole('button', { name: 'Retry…' }).click()
  expect(await intruders(page)).toEqual([])
  await page.getByRole('button', { name: /^Retry 1 job/ }).click()
  await page.getByText(/^1 job was [a-z]/).waitFor()
  expect(await intruders(page)).toEqual([])
})
