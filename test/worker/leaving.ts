import { Kysely, type LogEvent, PostgresDialect } from 'kysely'
import type { WorkerOptions } from 'kysely-jobs'
import { onTestFinished } from 'vitest'
import { quietPool } from '../support/database.js'
import { startProxy } from '../support/proxy.js'
import { type MailDatabase, type MailHandler, type MailJob, type MailWorker, mailWorker, next } from './mail-jobs.js'

/** A worker, the names of the events that it told of outcomes, and the errors that it told of. */
export function telling(db: Kysely<any>, handler: MailHandler, options: WorkerOptions<MailJob>) {
  const made = mailWorker(db, handler, options)
  const told: string[] = []
  for (const event of ['succeeded', 'retry', 'failed', 'timedOut', 'snoozed', 'cancelled', 'lost'] as const)
    made.on(event, () => told.push(event))
  const errors: string[] = []
  made.on('error', ({ error, doing }) => errors.push(`${doing}: ${error}`))
  return { made, told, errors }
}

/** Works until there is nothing left to do. */
export async function untilIdle(made: MailWorker): Promise<void> {
  const idle = next(made, 'idle')
  await made.start()
  await idle
}

/** A handle whose statements can be cut off, and are heard. */
export async function weakHandle(url: string, log: (event: LogEvent) => void = () => {}, max = 10) {
  const proxy = await startProxy(url)
  onTestFinished(proxy.close)
  const pool = quietPool({ connectionString: proxy.url, max })
  return { proxy, through: new Kysely<MailDatabase>({ dialect: new PostgresDialect({ pool }), log }) }
}
