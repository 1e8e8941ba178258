import { dashboard } from 'kysely-jobs/dashboard'
import { createJobLimits, createJobPauses } from 'kysely-jobs/migrate'
import { beforeEach, expect } from 'vitest'
import { test, testBrowser } from '../support/browser.js'
import { testDatabase } from '../support/database.js'
import { serve } from '../support/serve.js'
import { createMailTable } from './mail-table.js'

const { db } = await testDatabase(async (handle) => {
  await createMailTable(handle)
  await createJobPauses(handle)
  await createJobLimits(handle)
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
