import { createRunner, createWorker, enqueue, limitJobs, listLimits, listPauses, pauseJobs } from 'kysely-jobs'
import { dashboard } from 'kysely-jobs/dashboard'
import { createJobLimits, createJobPauses, createJobRunners, createJobTable } from 'kysely-jobs/migrate'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { testDatabase } from '../support/database.js'
import { quiet } from './mail-table.js'

const secret = 'correct horse battery staple'
const { db } = await testDatabase(async (handle) => {
  await createJobTable(handle, 'mail_jobs', (table) =>
    table
      .addColumn('email', 'text', (column) => column.notNull())
      .addColumn('size', 'integer')
      .addColumn('parent_id', 'uuid', (column) => column.references('mail_jobs.id')),
  )
  await createJobPauses(handle)
  await createJobLimits(handle)
  await createJobRunners(handle)
})
beforeEach(() =>
  db
    .deleteFrom('mail_jobs')
    .execute()
    .then(() => {}),
)

/** A page of a dashboard that hides emails. */
async function answer(path: string, form?: Record<string, string>, options: object = { hide: ['email'] }) {
  const handler = dashboard(db, { authorize: () => 'all', tables: { mail_jobs: options } } as never)
  const headers = { 'content-type': 'application/x-www-form-urlencoded', 'sec-fetch-site': 'same-origin' }
  const post = form && { method: 'POST', headers, body: new URLSearchParams(form).toString() }
  const response = await handler(new Request(`http://jobs.example/tables/mail_jobs${path}`, post))
  return `${response.status} ${await response.text()}`
}

test('pauses and limits of a hidden key are told without its value', async () => {
  await pauseJobs(db, 'mail_jobs', { where: { email: secret } })
  await limitJobs(db, 'mail_jobs', { where: { email: secret }, max: 3 })
  const page = await answer('/steering')
  expect(page.match(/email, which is hidden/g)).toHaveLength(2)
  expect(page).not.toContain(secret)
  expect(page).not.toContain('value="resume"')
  expect(page).not.toContain('value="unlimit"')
  expect(await answer('/steering', undefined, {})).toContain(secret)
})

test.each(['pause', 'resume', 'limit', 'unlimit'])('no form can %s a hidden key', async (act) => {
  await pauseJobs(db, 'mail_jobs', { where: { email: secret } })
  await limitJobs(db, 'mail_jobs', { where: { email: secret }, max: 3 })
  const before = [await listPauses(db, 'mail_jobs'), await listLimits(db, 'mail_jobs')]
  for (const value of [secret, 'another'])
    expect(await answer('/steering', { act, column: 'email', value, max: '1' })).toMatch(/^422 [\s\S]*email is hidden/)
  expect([await listPauses(db, 'mail_jobs'), await listLimits(db, 'mail_jobs')]).toEqual(before)
})

test('what is hidden of a job is hidden of the job that another points to', async () => {
  const { id } = await enqueue(db, 'mail_jobs', { email: secret })
  const child = await enqueue(db, 'mail_jobs', { email: 'of the child', parent_id: id })
  for (const options of [{ hide: ['email'] }, { hide: ['email'], joined: { parent_id: ['email', 'size'] } }])
    for (const path of ['', `/jobs/${child.id}`, `/jobs/${child.id}/edit`, `?where=parent_id.email%5E%3Dc`])
      expect(await answer(path, undefined, options)).not.toContain(secret)
  expect(await answer('?where=parent_id.email%5E%3Dc')).not.toContain(child.id)
  expect(await answer(`/jobs/${child.id}`, undefined, {})).toContain(secret)
})

test('a limit by a hidden column is told, and its keys are not', async () => {
  const worker = createWorker(db, 'mail_jobs', () => {}, { limit: { by: 'email', max: 2 }, logger: quiet } as never)
  const runner = createRunner(db, { workers: [worker], logger: quiet })
  await runner.start()
  onTestFinished(async () => {
    await runner.stop()
  })
  const page = await answer('/steering')
  expect(page).toMatch(/^200 [\s\S]*of each <code>email<\/code>/)
  expect(page).toContain('A column of them is hidden here, or gone')
  expect(await answer('/steering', undefined, {})).toContain('None of them runs now')
})
