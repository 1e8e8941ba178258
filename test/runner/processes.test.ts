import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { createWorker, enqueue } from 'kysely-jobs'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { testDatabase } from '../support/database.js'
import { createMailTables, type MailDatabase, next, quiet } from '../worker/mail-jobs.js'

const { db, url } = await testDatabase<MailDatabase>(createMailTables)

beforeEach(() => db.deleteFrom('mail_jobs').execute())

/** Starts a worker process. */
function mailProcess(behaviour: 'waits' | 'hangs' | 'heeds' | 'kills', deadline = 5000): ChildProcess {
  const child = fork(new URL('mail-process.ts', import.meta.url), [url, behaviour, String(deadline)], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  onTestFinished(() => {
    child.kill('SIGKILL')
  })
  return child
}

async function said(child: ChildProcess, word: string): Promise<void> {
  for (let message: unknown; message !== word; ) [message] = await once(child, 'message')
}

async function exit(child: ChildProcess): Promise<{ code: number | null; signal: string | null }> {
  const [code, signal] = await once(child, 'exit')
  return { code, signal }
}

const rows = () => db.selectFrom('mail_jobs').selectAll().orderBy('to').execute()

test('on SIGTERM a runner lets its handlers end, and the process ends with 0', async () => {
  await enqueue(db, 'mail_jobs', { to: 'ada' })
  const child = mailProcess('waits')
  await said(child, 'handling')
  const ended = exit(child)
  child.kill('SIGTERM')
  child.send('go on')
  expect(await ended).toEqual({ code: 0, signal: null })
  expect(await rows()).toMatchObject([{ status: 'job_status_succeeded', attempts_count: 1 }])
})

test('at the deadline a job whose handler heeds its signal is handed back, and the process ends with 0', async () => {
  await enqueue(db, 'mail_jobs', { to: 'ada' })
  const child = mailProcess('heeds', 50)
  await said(child, 'handling')
  const ended = exit(child)
  child.kill('SIGINT')
  expect(await ended).toEqual({ code: 0, signal: null })
  expect(await rows()).toMatchObject([{ status: 'job_status_not_started', attempts_count: 0, locked_by: null }])
})

test('a handler that would not end by the deadline costs the exit code 1', async () => {
  await enqueue(db, 'mail_jobs', { to: 'ada' })
  const child = mailProcess('hangs', 50)
  await said(child, 'handling')
  const ended = exit(child)
  child.kill('SIGTERM')
  expect(await ended).toEqual({ code: 1, signal: null })
  expect(await rows()).toMatchObject([{ status: 'job_status_running', attempts_count: 1 }])
})

test.each([
  ['SIGTERM', 143],
  ['SIGINT', 130],
] as const)('a second signal, %s, forces the end with exit code %i', async (signal, code) => {
  await enqueue(db, 'mail_jobs', { to: 'ada' })
  const child = mailProcess('hangs', 60_000)
  await said(child, 'handling')
  const first = said(child, 'signalled')
  child.kill('SIGINT')
  await first
  const ended = exit(child)
  child.kill(signal)
  expect(await ended).toEqual({ code, signal: null })
})

test('the job of a process that was killed runs again elsewhere', async () => {
  await enqueue(db, 'mail_jobs', { to: 'ada' })
  const child = mailProcess('hangs')
  await said(child, 'handling')
  const gone = exit(child)
  child.kill('SIGKILL')
  expect(await gone).toEqual({ code: null, signal: 'SIGKILL' })
  await using worker = createWorker(db, 'mail_jobs', async () => {}, {
    logger: quiet,
    lease: '1s',
    pollInterval: '50ms',
  })
  const [rescued, succeeded] = [next(worker, 'rescued'), next(worker, 'succeeded')]
  await worker.start()
  await rescued
  await succeeded
  expect(await rows()).toMatchObject([{ status: 'job_status_succeeded', attempts_count: 2 }])
})
