import { type Generated, Kysely, PostgresDialect } from 'kysely'
import type { JobStatus } from 'kysely-jobs'
import pg from 'pg'
import { createJobTable, createWorker, enqueue, guardPool } from '../product.ts'
import { apart, type Contender, type Enqueuer, type Payload } from './contender.ts'
import { run } from './statements.ts'

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
  jobs: JobTable
  /** The same without triggers. */
  quiet_jobs: JobTable
  /** The same with five priorities. */
  level_jobs: JobTable
}

type Table = keyof DB

interface Ways {
  readonly title: string
  /** Whether the pool goes through guardPool(), as the documentation advises. */
  readonly guarded: boolean
  readonly table?: Table
  /** Whether the rows of jobs that succeeded are deleted. */
  readonly deleted?: boolean
}

const kyselyJobs = ({ title, guarded, table = 'jobs', deleted = false }: Ways): Contender => {
  const connect = (url: string, connections = 10) => {
    const pool = new pg.Pool({ connectionString: url, max: connections })
    return new Kysely<DB>({ dialect: new PostgresDialect({ pool: guarded ? guardPool(pool) : pool }) })
  }
  return {
    title,
    migrate: (url) => migrate(connect(url)),
    fill: (url, jobs) =>
      run(
        url,
        `truncate ${table}`,
        `insert into ${table} (payload, run_at ${table === 'level_jobs' ? ', priority' : ''})
          select jsonb_build_object('n', n), now() - (${jobs} - n) * interval '${apart}'
            ${table === 'level_jobs' ? ', n % 5' : ''} from generate_series(1, ${jobs}) n`,
      ),
    async work(url, { workers, concurrency }, handle) {
      const db = connect(url)
      const all = Array.from({ length: workers }, () =>
        createWorker(db, table, (job) => handle(job.payload), {
          concurrency,
          listen: url,
          succeeded: deleted ? 'delete' : 'keep',
        }),
      )
      await Promise.all(all.map((worker) => worker.start()))
      return async () => {
        await Promise.all(all.map((worker) => worker.stop()))
        await db.destroy()
      }
    },
    unfinished: deleted
      ? `select exists (select from ${table}) as unfinished`
      : `select exists (select from ${table} where status in ('job_status_not_started', 'job_status_retry'))
          or exists (select from ${table} where status = 'job_status_running') as unfinished`,
    enqueuer: async (url, connections) => enqueuer(connect(url, connections), table),
  }
}

async function migrate(db: Kysely<DB>): Promise<void> {
  const payload = (table: Parameters<NonNullable<Parameters<typeof createJobTable>[2]>>[0]) =>
    table.addColumn('payload', 'jsonb', (column) => column.notNull())
  await createJobTable(db, 'jobs', payload)
  await createJobTable(db, 'quiet_jobs', payload, { notify: 'none' })
  await createJobTable(db, 'level_jobs', payload, { columns: ['priority'] })
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

export const ours = kyselyJobs({ title: 'kysely-jobs, guardPool', guarded: true })
export const oursByDefault = kyselyJobs({ title: 'kysely-jobs, defaults', guarded: false })
export const oursDeleted = kyselyJobs({ title: 'kysely-jobs, rows deleted', guarded: true, deleted: true })
export const oursByPriority = kyselyJobs({ title: 'kysely-jobs, 5 priorities', guarded: true, table: 'level_jobs' })
export const oursQuiet = kyselyJobs({ title: 'kysely-jobs, no triggers', guarded: true, table: 'quiet_jobs' })
