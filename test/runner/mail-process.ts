/** A worker process of the tests: node mail-process.ts <database url> <how its handler behaves> <deadline>. */

import { Kysely, PostgresDialect } from 'kysely'
import { createRunner, createWorker, guardPool } from 'kysely-jobs'
import pg from 'pg'
import type { MailDatabase } from '../worker/mail-jobs.ts'

const [connectionString, behaviour, deadline] = process.argv.slice(2)
const pool = guardPool(new pg.Pool({ connectionString }))
const db = new Kysely<MailDatabase>({ dialect: new PostgresDialect({ pool }) })

const handlers = {
  /** Ends when the parent says so. */
  waits: () => new Promise<void>((resolve) => process.once('message', () => resolve())),
  /** Never ends, whatever its signal says. */
  hangs: () => new Promise<void>(() => {}),
  /** Ends as soon as its signal aborts. */
  heeds: (signal: AbortSignal) =>
    new Promise<void>((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
  /** Takes its process with it. */
  kills: () => process.kill(process.pid, 'SIGKILL'),
}

const worker = createWorker(
  db,
  'mail_jobs',
  async (_job, { signal }) => {
    process.send?.('handling')
    await handlers[behaviour as keyof typeof handlers](signal)
  },
  { lease: '1s', pollInterval: '50ms', concurrency: 4 },
)
process.on('SIGINT', () => process.send?.('signalled'))
worker.on('started', () => process.send?.('started'))
await createRunner(db, { workers: [worker], deadline: Number(deadline) }).run()
await db.destroy()
process.disconnect?.()
