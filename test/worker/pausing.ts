import { Kysely, type LogEvent, PostgresDialect, sql } from 'kysely'
import { type ClaimOptions, createWorker, guardPool, type WorkerOptions } from 'kysely-jobs'
import { onTestFinished } from 'vitest'
import { quietPool } from '../support/database.js'
import { quiet } from './mail-jobs.js'
import type { TenantDatabase } from './tenant-jobs.js'

export type Options = WorkerOptions<any> & ClaimOptions<TenantDatabase, 'tenant_jobs'>

/** A process as far as sharing goes: its handle, and the statements that it sends. */
export function program(url: string) {
  const statements: string[] = []
  const log = ({ query }: LogEvent) => void statements.push(query.sql)
  const pool = guardPool(quietPool({ connectionString: url }))
  onTestFinished(() => db.destroy())
  const db = new Kysely<TenantDatabase>({ dialect: new PostgresDialect({ pool }), log })
  /** Resolves after so many more polls: what a poll finds has begun by then. */
  const polls = async (count: number) => {
    const isPoll = (statement: string) => statement.includes('as "expired"')
    const from = statements.filter(isPoll).length
    while (statements.filter(isPoll).length < from + count) await new Promise(setImmediate)
  }
  return { db, statements, polls }
}

/** A worker that polls often, with what it has told of pauses, and the jobs that it has begun. */
export async function pausable(
  url: string,
  options: Options = {},
  own = program(url),
  handle: () => Promise<void> | undefined = () => undefined,
) {
  const begun: { tenant_id: number; place: number }[] = []
  const told: object[] = []
  const errors: unknown[] = []
  const handler = ({ tenant_id, place }: { tenant_id: number; place: number }) => {
    begun.push({ tenant_id, place })
    return handle()
  }
  const worker = createWorker(own.db, 'tenant_jobs', handler, { logger: quiet, pollInterval: '20ms', ...options })
  onTestFinished(() => worker.stop({ deadline: 0 }).then(() => {}))
  worker.on('paused', (paused) => told.push({ paused }))
  worker.on('resumed', (resumed) => told.push({ resumed }))
  worker.on('error', ({ error }) => errors.push(error))
  return {
    ...own,
    worker,
    begun,
    told,
    errors,
    tenants: () => [...new Set(begun.map(({ tenant_id }) => tenant_id))].sort(),
  }
}

/** So many jobs of each of so many tenants, in turn. */
export const jobsOf = (tenants: number, each: number) =>
  Array.from({ length: tenants * each }, (_, n) => ({ tenant_id: n % tenants, place: Math.floor(n / tenants) }))

/** How many jobs have not begun, of all tenants or of one. */
export async function waiting(db: Kysely<TenantDatabase>, tenant?: number): Promise<number | undefined> {
  const { rows } = await sql<{ n: number }>`
    select count(*)::int as n from tenant_jobs
    where status = 'job_status_not_started' and tenant_id = coalesce(${tenant ?? null}::int, tenant_id)`.execute(db)
  return rows[0]?.n
}

/** Whether a statement claims jobs. */
export const isFetch = (statement: string) =>
  statement.startsWith('update "tenant_jobs"') && statement.includes('skip locked')
