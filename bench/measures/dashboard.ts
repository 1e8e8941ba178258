import { randomUUID } from 'node:crypto'
import { Kysely, PostgresDialect, sql } from 'kysely'
import pg from 'pg'
import {
  createJobHistory,
  createJobLimits,
  createJobPauses,
  createJobRunners,
  createJobSchedules,
  createJobTable,
  dashboard,
} from '../product.ts'
import type { Counters, Server } from '../server.ts'

const visits = 5

/** What a page asks of the database. */
export interface Sight {
  readonly page: string
  readonly rows: number
  /** Milliseconds of the server's processors, as a machine that others use takes longer: the mean of some visits. */
  readonly cpu: number
  readonly buffers: number
  readonly statements: number
}

/** Addresses by what one looks for there; `ID` is a job that has failed. */
const pages: Readonly<Record<string, string>> = {
  overview: '',
  'all jobs': '/tables/jobs',
  'due jobs': '/tables/jobs?state=due',
  'failed jobs': '/tables/jobs?state=failed',
  'succeeded jobs': '/tables/jobs?state=succeeded',
  'by an indexed column': '/tables/jobs?where=tenant_id%3D7',
  'by a column without an index': '/tables/jobs?where=region%3Deu',
  'by a column, none found': '/tables/jobs?where=region%3Dnowhere',
  'within JSON, none found': '/tables/jobs?where=payload.user.id%3D-1',
  'by a part of the error': '/tables/jobs?state=failed&where=last_error~451',
  'by the row pointed to, none found': '/tables/jobs?where=customer.email%3Dnobody',
  'sorted by a column': '/tables/jobs?sort=tenant_id',
  'a job': '/tables/jobs/jobs/ID',
  errors: '/tables/jobs/errors',
  'pauses and limits': '/tables/jobs/steering',
  schedules: '/schedules',
}

/** A table of so many jobs, of which one in ten is to be done, as its dashboard shows it. */
export async function dashboardPages(server: Server, rows: number, isArchived: boolean): Promise<Sight[]> {
  const url = await server.emptyDatabase(`dashboard_${randomUUID()}`)
  const pool = new pg.Pool({ connectionString: url, max: 4 })
  pool.on('error', () => {}) // connections that are still closing when the database goes
  const db = new Kysely<any>({ dialect: new PostgresDialect({ pool }) })
  await fill(db, rows, isArchived)
  await server.quiet(url)
  const failed = await sql<{ id: string }>`select id from jobs where status = 'job_status_failed' limit 1`.execute(db)
  const handler = dashboard(db, { tables: ['jobs'], authorize: () => 'read' } as never) // the types know no table
  const sights: Sight[] = []
  for (const [page, path] of Object.entries(pages)) {
    const address = `http://localhost${path.replace('ID', failed.rows[0]?.id ?? '')}`
    const visit = async () => {
      const response = await handler(new Request(address))
      const text = await response.text()
      if (response.status !== 200) throw new Error(`${response.status} of ${address}: ${text}`)
    }
    await visit()
    const before = await server.counters(url)
    for (let n = 0; n < visits; n++) await visit()
    const after = await server.counters(url)
    const of = (field: keyof Counters) => (after[field] - before[field]) / visits
    sights.push({ page, rows, cpu: of('cpu') / 1000, buffers: of('buffers'), statements: of('statements') })
  }
  await db.destroy()
  await server.dropDatabase(url)
  return sights
}

/** Nine in ten have ended: of these one in fifty has failed, with errors of forty kinds. */
async function fill(db: Kysely<any>, rows: number, isArchived: boolean): Promise<void> {
  await sql`create extension pg_stat_statements`.execute(db)
  await sql`create table customers (id int primary key, email text)`.execute(db)
  await sql`insert into customers select n, 'customer' || n || '@example.com' from generate_series(1, 100000) n`.execute(
    db,
  )
  const archive = isArchived ? { archive: { every: '1 day', keep: '60 days' } as const } : {}
  await createJobTable(
    db,
    'jobs',
    (table) =>
      table
        .addColumn('tenant_id', 'integer')
        .addColumn('region', 'text')
        .addColumn('customer', 'integer', (column) => column.references('customers.id'))
        .addColumn('payload', 'jsonb'),
    { columns: ['priority', 'started_at', 'finished_at', 'errors'], ...archive, notify: 'none' },
  )
  await sql`create index on jobs (tenant_id)`.execute(db)
  for (const create of [createJobSchedules, createJobPauses, createJobLimits, createJobRunners, createJobHistory])
    await create(db)
  const ended = isArchived ? 'jobs_archive' : 'jobs'
  await insert(
    db,
    ended,
    rows * 0.9,
    sql`case when n % 50 = 0 then 'job_status_failed' else 'job_status_succeeded' end`,
    sql`-(n % 2592000) - 60`,
  )
  await insert(db, 'jobs', rows * 0.05, sql`'job_status_not_started'`, sql`-(n % 3600)`)
  await insert(db, 'jobs', rows * 0.03, sql`'job_status_not_started'`, sql`60 + n`)
  await insert(db, 'jobs', rows * 0.01, sql`'job_status_retry'`, sql`60 + n`)
  await insert(db, 'jobs', rows * 0.01, sql`'job_status_failed'`, sql`-n`)
  await history(db, 'minute', 2880)
  await history(db, 'hour', 720)
}

/** As many rows as are kept. */
async function history(db: Kysely<any>, step: 'minute' | 'hour', count: number) {
  const at = sql`date_trunc(${step}, now()) - n * ('1 ' || ${step})::interval`
  const counts = sql`array_fill(3, array[40])`
  await sql`
    insert into job_history (job_schema, job_table, step, began_at, claimed, succeeded, retry, failed, wait_counts, wait_ms, duration_counts, duration_ms, sampled_at, due)
    select 'public', 'jobs', ${step}, ${at}, 120, 110, 7, 3, ${counts}, 9000, ${counts}, 30000, now(), 10000
    from generate_series(0, ${sql.lit(count - 1)}) n`.execute(db)
}

async function insert(
  db: Kysely<any>,
  table: string,
  count: number,
  status: ReturnType<typeof sql>,
  seconds: ReturnType<typeof sql>,
) {
  await sql`
    insert into ${sql.table(table)} (id, status, attempts_count, run_at, created_at, updated_at, priority, tenant_id, region, customer, payload, last_error)
    select gen_random_uuid(), s.status::job_status, 1, at, at, at, 0, n % 5000, (array['eu', 'us', 'asia'])[1 + n % 3], 1 + n % 100000,
      jsonb_build_object('user', jsonb_build_object('id', n), 'template', 'welcome', 'note', repeat('x', 100)),
      case when s.status in ('job_status_failed', 'job_status_retry')
        then 'SmtpError: ' || 400 + n % 40 || ' try again' || chr(10) || '    at send (mail.js:' || n % 99 || ')' end
    from generate_series(1, ${Math.round(count)}::int) n
    cross join lateral (select ${status} as status, now() + (${seconds}) * interval '1 second' as at) s`.execute(db)
}
