import { type Generated, Kysely, PostgresDialect } from 'kysely'
import type { JobStatus } from 'kysely-jobs'
import pg from 'pg'
import { createJobArchive, createJobTable, createWorker, enqueue, guardPool } from '../product.ts'
import { apart, type Contender, type Enqueuer, type Payload } from './contender.ts'
import { run } from './statements.ts'
import { SynchronousClient } from './synchronous-client.ts'
import { bySdkAlone, type TelemetryKind, watch } from './telemetry.ts'

/** The table of the bench; its types as `kysely-jobs generate` would write them. */
export interface JobTable {
  id: Generated<string>
  created_at: Generated<Date>
  updated_at: Generated<Date>
  status: Generated<JobStatus>
  last_error: string | null
  attempts_count: Generated<number>
  locked_at: Date | null
  locked_by: string | null
  run_at: Generated<Date>
  payload: Payload
}

export interface DB {
  /** It has an archive. */
  jobs: JobTable
  /** The same without triggers. */
  quiet_jobs: JobTable
  /** The same with five priorities. */
  level_jobs: JobTable
  /** What the jobs of batches write: a row each. */
  effects: Payload
}

type Table = Exclude<keyof DB, 'effects'>

/** In which a contender of ours differs from leases, whole rows and finished jobs that stay. */
interface Ways {
  readonly title: string
  /** The pool does not go through guardPool(), as the documentation advises. */
  readonly isPlain?: boolean
  readonly table?: Table
  readonly hold?: 'transaction'
  /** Only the payload is read. */
  readonly isLean?: boolean
  /** What becomes of jobs that succeeded. */
  readonly succeeded?: 'delete' | 'archive'
  /** Metrics or spans are made. */
  readonly telemetry?: TelemetryKind | 'sdk alone'
  /** Claims wait for the disk. */
  readonly isSynchronous?: boolean
}

const kyselyJobs = (ways: Ways): Contender => {
  const { title, table = 'jobs', hold = 'lease', isLean = false, succeeded = 'keep', telemetry } = ways
  return {
    title,
    migrate: (url) => migrate(connect(url)),
    fill: (url, jobs) =>
      run(
        url,
        `truncate ${table}, effects, jobs_archive`,
        `insert into ${table} (payload, run_at ${table === 'level_jobs' ? ', priority' : ''})
          select jsonb_build_object('n', n), now() - (${jobs} - n) * interval '${apart}'
            ${table === 'level_jobs' ? ', n % 5' : ''} from generate_series(1, ${jobs}) n`,
      ),
    async work(url, { workers, concurrency }, handle) {
      const db = connect(url, ways)
      const select = isLean ? (['payload'] as const) : undefined
      const handler = telemetry === 'sdk alone' ? bySdkAlone(handle) : handle
      const all = Array.from({ length: workers }, () =>
        createWorker(db, table, (job) => handler(job.payload), { concurrency, listen: url, hold, select, succeeded }),
      )
      const unwatch = telemetry && telemetry !== 'sdk alone' ? await watch(all, telemetry) : undefined
      await Promise.all(all.map((worker) => worker.start()))
      return async () => {
        unwatch?.()
        await Promise.all(all.map((worker) => worker.stop()))
        await db.destroy()
      }
    },
    unfinished:
      succeeded === 'keep'
        ? `select exists (select from ${table} where status in ('job_status_not_started', 'job_status_retry'))
            or exists (select from ${table} where status = 'job_status_running') as unfinished`
        : `select exists (select from ${table}) as unfinished`,
    enqueuer: async (url, connections) => enqueuer(connect(url, { ...ways, connections }), table),
  }
}

export function connect(
  url: string,
  { isPlain = false, isSynchronous = false, connections = 10 }: Partial<Ways> & { readonly connections?: number } = {},
): Kysely<DB> {
  const client = isSynchronous ? { Client: SynchronousClient } : {}
  const pool = new pg.Pool({ connectionString: url, max: connections, ...client })
  return new Kysely<DB>({ dialect: new PostgresDialect({ pool: isPlain ? pool : guardPool(pool) }) })
}

async function migrate(db: Kysely<DB>): Promise<void> {
  const payload = (table: Parameters<NonNullable<Parameters<typeof createJobTable>[2]>>[0]) =>
    table.addColumn('payload', 'jsonb', (column) => column.notNull())
  await createJobTable(db, 'jobs', payload)
  await createJobArchive(db, 'jobs', { every: '1 day', keep: '30 days' })
  await createJobTable(db, 'quiet_jobs', payload, { notify: 'none' })
  await createJobTable(db, 'level_jobs', payload, { columns: ['priority'] })
  await db.schema.createTable('effects').addColumn('n', 'integer').execute()
  await db.destroy()
}

function enqueuer(db: Kysely<DB>, table: Table): Enqueuer {
  const rows = (payloads: readonly Payload[]) => payloads.map((payload) => ({ payload }))
  return {
    one: (payload) => enqueue(db, table, { payload }),
    many: (payloads) => enqueue(db, table, rows(payloads)),
    close: () => db.destroy(),
  }
}

const held = { hold: 'transaction' } as const
const heldLean = { ...held, isLean: true } as const

export const ours = kyselyJobs({ title: 'kysely-jobs, leases' })
export const oursByDefault = kyselyJobs({ title: 'kysely-jobs, plain pool', isPlain: true })
export const oursSynchronous = kyselyJobs({ title: 'kysely-jobs, claims wait for the disk', isSynchronous: true })
export const oursLean = kyselyJobs({ title: 'kysely-jobs, leases, lean', isLean: true })
export const oursDeleted = kyselyJobs({ title: 'kysely-jobs, leases, deleted', succeeded: 'delete' })
export const oursArchived = kyselyJobs({ title: 'kysely-jobs, leases, archived', succeeded: 'archive' })
export const oursHeld = kyselyJobs({ title: 'kysely-jobs, held', ...held })
export const oursHeldLean = kyselyJobs({ title: 'kysely-jobs, held, lean', ...heldLean })
export const oursHeldDeleted = kyselyJobs({
  title: 'kysely-jobs, held, lean, deleted',
  ...heldLean,
  succeeded: 'delete',
})
export const oursHeldArchived = kyselyJobs({
  title: 'kysely-jobs, held, lean, archived',
  ...heldLean,
  succeeded: 'archive',
})
export const oursByPriority = kyselyJobs({ title: 'kysely-jobs, 5 priorities', table: 'level_jobs' })
const lean = { isLean: true } as const
export const oursScraped = kyselyJobs({ title: 'scraped by Prometheus', ...lean, telemetry: 'scraped' })
export const oursMeasured = kyselyJobs({ title: 'OpenTelemetry, metrics alone', ...lean, telemetry: 'measured' })
export const oursUnsampled = kyselyJobs({ title: 'and spans, none sampled', ...lean, telemetry: 'unsampled' })
export const oursHundredth = kyselyJobs({ title: 'and spans, one in a hundred', ...lean, telemetry: 'hundredth' })
export const oursSampled = kyselyJobs({ title: 'and spans, all sampled', ...lean, telemetry: 'sampled' })
export const oursBesideSdk = kyselyJobs({ title: 'OpenTelemetry by itself', ...lean, telemetry: 'sdk alone' })
export const oursQuiet = kyselyJobs({ title: 'kysely-jobs, no triggers', table: 'quiet_jobs' })
