import { type Generated, Kysely, PostgresDialect } from 'kysely'
import type { JobStatus } from 'kysely-jobs'
import pg from 'pg'
import { createJobTable, createRunner, createWorker, enqueue, guardPool, linear } from '../product.ts'
import type { Act, Peer } from './peer.ts'

interface DB {
  jobs: {
    id: Generated<string>
    created_at: Generated<Date>
    updated_at: Generated<Date>
    status: Generated<JobStatus>
    last_error: string | null
    attempts_count: Generated<number>
    locked_at: Date | null
    locked_by: string | null
    run_at: Generated<Date>
    key: string
    act: Act
    takes: number
  }
}

const connect = (url: string) =>
  new Kysely<DB>({ dialect: new PostgresDialect({ pool: guardPool(new pg.Pool({ connectionString: url, max: 10 })) }) })

const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

export const ours: Peer = {
  title: 'kysely-jobs',
  settings:
    '`guardPool`, `listen`, `createRunner().run()`; `lease` is the expiry, `deadline` the grace; ' +
    '`backoff: linear({ delay: 100 })`; `timeout` in R9 alone',
  async setUp(url) {
    const db = connect(url)
    await createJobTable(db, 'jobs', (table) =>
      table
        .addColumn('key', 'uuid', (column) => column.notNull())
        .addColumn('act', 'text', (column) => column.notNull())
        .addColumn('takes', 'integer', (column) => column.notNull()),
    )
    await db.destroy()
  },
  async enqueuer(url) {
    const db = connect(url)
    return { add: (payloads) => enqueue(db, 'jobs', payloads), close: () => db.destroy() }
  },
  async work({ url, concurrency, maxAttempts, expiry, timeout, grace }, handle, started) {
    const db = connect(url)
    const worker = createWorker(
      db,
      'jobs',
      ({ key, act, takes }, { attempt, signal }) => handle({ payload: { key, act, takes }, number: attempt, signal }),
      {
        ...{ concurrency, maxAttempts, timeout, lease: expiry, listen: url, logger: quiet },
        backoff: linear({ delay: 100 }),
      },
    )
    worker.on('started', started)
    await createRunner(db, { workers: [worker], deadline: grace }).run()
    await db.destroy()
  },
  states: `select key, last_error as said, case status
      when 'job_status_succeeded' then 'done' when 'job_status_running' then 'held'
      when 'job_status_not_started' then 'waiting' when 'job_status_retry' then 'waiting' else 'failed' end as state
    from jobs`,
  deletesDone: false,
}
