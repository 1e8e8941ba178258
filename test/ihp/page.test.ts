import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { type Kysely, sql } from 'kysely'
import { fetchNextJob, jobDidFail, jobDidSucceed, watchForJob } from 'kysely-jobs/ihp'
import { addJobColumns, createJobIndexes, createJobTriggers } from 'kysely-jobs/migrate'
import ts from 'typescript-5.9'
import { expect, test } from 'vitest'
import { createIhpTriggers } from '../support/ihp-table.js'
import { next, quiet, sendMail } from './send-mail.js'

const { db, url, add, row, work } = await sendMail()

/** Runs the code of docs/seed.md that begins so, as the body of a function that knows these names. */
function runPage(start: string, names: Record<string, unknown>): Promise<unknown> {
  const page = readFileSync(new URL('../../docs/seed.md', import.meta.url), 'utf8')
  const block = [...page.matchAll(/```ts\n(.*?)```/gs)]
    .map(([, code = '']) => code)
    .find((code) => code.startsWith(start))
  const code = ts.transpile(`async () => {\n${block?.replace('export ', 'return ')}\n}`, {
    target: ts.ScriptTarget.ES2022,
  })
  return new Function(...Object.keys(names), `return (${code.trim().replace(/;$/, '')})()`)(...Object.values(names))
}

test('the loop of the page runs what is there and what comes, and puts into retry what fails', async () => {
  await createIhpTriggers(db)
  const jobs = [await add({ recipient: 'good' }), await add({ recipient: 'bad' })]
  const sent: string[] = []
  const all = Promise.withResolvers<void>()
  const send = async ({ recipient }: { recipient: string }) => {
    sent.push(recipient)
    if (sent.length === 2) jobs.push(await add({ recipient: 'later' }))
    if (sent.length === 3) all.resolve()
    if (recipient === 'bad') throw new Error('mail server away')
  }
  const watchOnce = async (...args: Parameters<typeof watchForJob<any, string>>) => {
    const watch = await watchForJob(...args)
    return { close: () => all.promise.then(() => watch.close()) }
  }
  const fail = (_db: unknown, _table: string, job: Awaited<ReturnType<typeof add>>, error: unknown) =>
    jobDidFail(db, 'send_mail_jobs', job, error, { logger: quiet })
  const names = {
    db,
    randomUUID,
    fetchNextJob,
    jobDidFail: fail,
    jobDidSucceed,
    watchForJob: watchOnce,
    sendMail: send,
  }
  await runPage('const worker', { ...names, process: { env: { DATABASE_URL: url } } })
  expect(sent.sort()).toEqual(['bad', 'good', 'later'])
  expect(await Promise.all(jobs.map(({ id }) => row(id)))).toMatchObject([
    { status: 'job_status_succeeded' },
    { status: 'job_status_retry' },
    { status: 'job_status_succeeded' },
  ])
})

test('a table of the seed is moved over by the migration of the page, with the jobs that are in it', async () => {
  const { id } = await add()
  const names = { addJobColumns, createJobIndexes, createJobTriggers, sql }
  const up = (await runPage('export async function up', names)) as (db: Kysely<any>) => Promise<void>
  await up(db)
  await up(db)
  const moved = db as unknown as Kysely<any>
  await moved.insertInto('send_mail_jobs').values({ recipient: 'urgent', priority: 1 }).execute()
  const order: string[] = []
  const served = work(async ({ recipient }) => void order.push(recipient), { concurrency: 1, listen: url })
  const idle = next(served, 'idle', () => order.length === 2)
  await served.start()
  await idle
  expect(order).toEqual(['urgent', 'ada'])
  expect(await row(id)).toMatchObject({ status: 'job_status_succeeded', finished_at: expect.any(Date) })
})
