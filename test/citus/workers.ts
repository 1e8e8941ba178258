import type { Kysely } from 'kysely'
import { type ClaimOptions, createWorker, type WorkerOptions } from 'kysely-jobs'
import { onTestFinished } from 'vitest'
import { quiet } from '../worker/mail-jobs.js'
import type { SpreadDatabase } from './spread.js'

export type Options = WorkerOptions<any> & ClaimOptions<SpreadDatabase, 'mail_jobs'>
export type Handler = Parameters<typeof createWorker<SpreadDatabase, 'mail_jobs'>>[2]

/** Starts a worker, for as long as its test runs; what goes wrong is kept. */
export async function startWorker(db: Kysely<SpreadDatabase>, handler: Handler, options: Options = {}) {
  const worker = createWorker(db, 'mail_jobs', handler, { logger: quiet, pollInterval: '50ms', ...options })
  const errors: string[] = []
  worker.on('error', ({ error, doing }) => errors.push(`${doing}: ${error}`))
  const idle = new Promise((resolve) => worker.once('idle', () => resolve(undefined)))
  onTestFinished(() => worker.stop({ deadline: 0 }).then(() => {}))
  await worker.start()
  return { worker, errors, idle }
}

/** So many jobs of a tenant. */
export const notes = (tenant_id: number, count: number) =>
  Array.from({ length: count }, (_, n) => ({ tenant_id, note: `${tenant_id}-${n}` }))
