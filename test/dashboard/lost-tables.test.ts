import { sql } from 'kysely'
import { addSchedule } from 'kysely-jobs'
import { dashboard } from 'kysely-jobs/dashboard'
import { createJobSchedules, createJobTable } from 'kysely-jobs/migrate'
import { expect, test } from 'vitest'
import { testDatabase } from '../support/database.js'

const { db } = await testDatabase(async (handle) => {
  for (const table of ['mail_jobs', 'other_jobs']) await createJobTable(handle, table)
  await createJobSchedules(handle)
})
const handler = dashboard(db, { tables: ['mail_jobs', 'other_jobs'], authorize: () => 'all' })

async function answer(path: string): Promise<string> {
  const response = await handler(new Request(`http://jobs.example${path}`))
  return `${response.status} ${await response.text()}`
}

test('a schedule in a time zone that this process does not know is told, beside the others', async () => {
  for (const name of ['here', 'on mars'])
    await addSchedule(db, 'mail_jobs', { name, cron: '0 3 * * *', timeZone: 'Europe/Vienna', values: {} })
  await sql`update job_schedules set time_zone = 'Mars/Olympus' where name = 'on mars'`.execute(db)
  const page = await answer('/schedules')
  expect(page).toMatch(/^200 /)
  expect(page.match(/Europe\/Vienna/g)).toHaveLength(1)
  expect(page).toContain('&quot;Mars/Olympus&quot; is unknown')
})

test.each([
  ['is gone', 'alter table other_jobs rename to gone_jobs', 'alter table gone_jobs rename to other_jobs'],
  [
    'is none of jobs any more',
    'alter table other_jobs rename column run_at to at',
    'alter table other_jobs rename column at to run_at',
  ],
])('a table that %s is told of, and takes no other away', async (_, lose, find) => {
  await addSchedule(db, 'mail_jobs', { name: 'nightly', cron: '0 3 * * *', values: {} })
  await sql.raw(lose).execute(db)
  const overview = await answer('/')
  expect(overview).toMatch(/^200 [\s\S]*other_jobs[\s\S]*this table can not be looked at/)
  expect(overview).toMatch(/<h2><a href="\/tables\/mail_jobs">/)
  expect(await answer('/schedules')).toMatch(/^200 [\s\S]*nightly/)
  expect(await answer('/tables/other_jobs')).toMatch(/^500 /)
  await sql.raw(find).execute(db)
  expect(await answer('/')).toMatch(/<h2><a href="\/tables\/other_jobs">/)
})
