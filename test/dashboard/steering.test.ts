import { sql } from 'kysely'
import { createRunner, createWorker } from 'kysely-jobs'
import { dashboard } from 'kysely-jobs/dashboard'
import { createJobLimits, createJobPauses, createJobRunners } from 'kysely-jobs/migrate'
import { beforeEach, expect, onTestFinished } from 'vitest'
import { test, testBrowser } from '../support/browser.js'
import { testDatabase } from '../support/database.js'
import { serve } from '../support/serve.js'
import { createMailTable, quiet } from './mail-table.js'

const { db } = await testDatabase(async (handle) => {
  await createMailTable(handle)
  await sql`alter table mail_jobs alter column size set not null`.execute(handle) // as a key has to be
  await createJobPauses(handle)
  await createJobLimits(handle)
  await createJobRunners(handle)
})
beforeEach(async () => {
  await db.deleteFrom('job_pauses').execute()
  await db.deleteFrom('job_limits').execute()
})
const { url } = await serve(dashboard(db, { tables: ['mail_jobs'], authorize: () => 'all' }))
const open = testBrowser()
const steering = () => open(`${url}/tables/mail_jobs/steering`, { javaScriptEnabled: false })

test('a pause for a time that is none is asked for again, with what was typed', async () => {
  const page = await steering()
  const form = page.locator('form', { hasText: 'For how long' })
  await form.getByLabel('What').selectOption('size')
  await form.getByLabel('Value').fill('7')
  await form.getByLabel('Why').fill('too many')
  await form.getByLabel('For how long').fill('2 hours')
  await form.getByRole('button', { name: 'Pause' }).click()
  expect(await form.getByRole('alert').innerText()).toContain('2 hours')
  const typed = ['What', 'Value', 'Why', 'For how long'].map((label) => form.getByLabel(label).inputValue())
  expect(await Promise.all(typed)).toEqual(['size', '7', 'too many', '2 hours'])
  await form.getByLabel('For how long').fill('2h')
  await form.getByRole('button', { name: 'Pause' }).click()
  await page.getByRole('cell', { name: 'too many' }).waitFor()
})

test('a limit that no worker heeds is marked, and the column by which they limit is offered at first', async () => {
  const limit = { by: 'size', max: 2 }
  const worker = createWorker(db, 'mail_jobs', () => {}, { limit, logger: quiet } as never)
  const runner = createRunner(db, { workers: [worker], logger: quiet })
  await runner.start()
  onTestFinished(async () => {
    await runner.stop()
  })
  const page = await steering()
  const form = page.locator('form', { hasText: 'At most' })
  expect(await form.locator('[name="column"]').inputValue()).toBe('size')
  await form.locator('[name="value"]').fill('7')
  await form.locator('[name="max"]').fill('1')
  await form.getByRole('button', { name: 'Limit' }).click()
  await page.getByText('at most 1').waitFor()
  expect(await page.getByText('none heeds this').count()).toBe(0)
  await form.locator('[name="column"]').selectOption('')
  await form.locator('[name="max"]').fill('5')
  await form.getByRole('button', { name: 'Limit' }).click()
  const unheeded = page.locator('li', { hasText: 'all jobs of the table' })
  expect(await unheeded.innerText()).toMatch(/no worker that runs now limits all jobs:\s+none heeds this/)
})
