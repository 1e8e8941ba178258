import { addSchedule, listPauses, pauseJobs, pauseSchedule, resumeJobs } from 'kysely-jobs'
import { dashboard } from 'kysely-jobs/dashboard'
import { createJobPauses } from 'kysely-jobs/migrate'
import { expect } from 'vitest'
import { test, testBrowser } from '../support/browser.js'
import { testDatabase } from '../support/database.js'
import { serve } from '../support/serve.js'
import { createMailTable, fillMails } from './mail-table.js'

// A page that is followed changes under whoever looks: what its forms send has to change with what it shows.

const { db } = await testDatabase(async (handle) => {
  await createMailTable(handle)
  await createJobPauses(handle)
})
const { url } = await serve(dashboard(db, { tables: ['mail_jobs'], authorize: () => 'all' }))
const open = testBrowser()

test('the job that is marked is the one that its row shows, also where the row showed another before', async () => {
  await fillMails(db, [{ to: 'm' }])
  const page = await open(`${url}/tables/mail_jobs?sort=to`)
  await page.locator('.live', { hasText: 'Live' }).waitFor()
  await db.insertInto('mail_jobs').values({ to: 'a' }).execute()
  await page.locator('tbody tr').first().getByText('a', { exact: true }).waitFor()
  await page.locator('tbody tr').first().locator('input[name="id"]').check()
  await page.getByRole('button', { name: 'Cancel…' }).click()
  await page.getByRole('button', { name: 'Cancel 1 job' }).click()
  await page.getByText(/^1 job was [a-z]/).waitFor()
  const cancelled = await db
    .selectFrom('mail_jobs')
    .select('to')
    .where('status', '=', 'job_status_cancelled' as never)
    .execute()
  expect(cancelled).toEqual([{ to: 'a' }])
})

test('the pause that is resumed is the one of its row, when others ended meanwhile', async () => {
  for (const size of [1, 2]) await pauseJobs(db, 'mail_jobs', { where: { size } })
  const page = await open(`${url}/tables/mail_jobs/steering`)
  await page.locator('.live', { hasText: 'Live' }).waitFor()
  await resumeJobs(db, 'mail_jobs', { where: { size: 1 } })
  await page.getByText('size = 1').waitFor({ state: 'detached' })
  await page.getByRole('button', { name: 'Resume' }).click()
  await page.getByText('Nothing is paused').waitFor()
  expect(await listPauses(db, 'mail_jobs')).toEqual([])
})

test('a button does what it says, when somebody else has pressed it meanwhile', async () => {
  await addSchedule(db, 'mail_jobs', { name: 'nightly', cron: '0 3 * * *', values: { to: 'all' } })
  const page = await open(`${url}/schedules`)
  await page.locator('.live', { hasText: 'Live' }).waitFor()
  await pauseSchedule(db, 'mail_jobs', 'nightly')
  await page.getByRole('button', { name: 'Resume' }).click()
  await page.getByRole('button', { name: 'Pause' }).waitFor()
})
