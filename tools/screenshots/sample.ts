import { type Kysely, sql } from 'kysely'
import { addSchedule, pauseJobs } from 'kysely-jobs'
import {
  createJobHistory,
  createJobIndexes,
  createJobPauses,
  createJobRunners,
  createJobSchedules,
  createJobTable,
} from 'kysely-jobs/migrate'

/** The tables of the pictures. */
export const tables = ['order_jobs', 'mail_jobs'] as const

/** What a shop's queue may look like on an ordinary day: a backlog, a run of one kind of error, a day of history. */
export async function createSample(db: Kysely<any>): Promise<void> {
  await createTables(db)
  await fillOrders(db)
  await sql`
    insert into mail_jobs (address, status, attempts_count, finished_at, updated_at)
    select 'customer' || n || '@example.com', 'job_status_succeeded', 1, now() - n * interval '20 s', now() - n * interval '20 s'
    from generate_series(1, 400) as n`.execute(db)
  await fillHistory(db)
  await addSchedule(db, 'order_jobs', {
    name: 'close the books',
    cron: '0 3 * * *',
    timeZone: 'Europe/Vienna',
    values: { tenant: 'all', amount: 0 },
  })
  await addSchedule(db, 'mail_jobs', {
    name: 'newsletter',
    cron: '30 9 * * MON',
    timeZone: 'Europe/Vienna',
    values: { address: 'all' },
  })
  // Something to be warned of.
  await sql`alter table mail_jobs disable trigger did_insert_job_mail_jobs`.execute(db)
  await pauseJobs(db, 'order_jobs', { where: { tenant: 'initech' }, reason: 'the bill is not paid' })
}

async function createTables(db: Kysely<any>): Promise<void> {
  const columns = ['priority', 'max_attempts', 'started_at', 'finished_at', 'errors'] as const
  await createJobTable(
    db,
    'order_jobs',
    (table) =>
      table
        .addColumn('tenant', 'text', (column) => column.notNull())
        .addColumn('amount', sql`numeric(10, 2)`, (column) => column.notNull())
        .addColumn('payload', 'jsonb'),
    { columns: [...columns] },
  )
  await createJobTable(db, 'mail_jobs', (table) => table.addColumn('address', 'text'), { columns: [...columns] })
  for (const table of tables) await createJobIndexes(db, table)
  await createJobSchedules(db)
  await createJobPauses(db)
  await createJobRunners(db)
  await createJobHistory(db)
}

async function fillOrders(db: Kysely<any>): Promise<void> {
  await sql`
    insert into order_jobs (tenant, amount, priority, max_attempts, status, attempts_count, run_at, created_at, started_at, finished_at,
      updated_at, last_error, locked_at, locked_by, payload, errors)
    select (array['acme', 'globex', 'initech', 'umbrella'])[1 + n % 4], 10 + n * 7 % 490 + 0.5, n % 3, 5,
      kind.status::job_status, kind.attempts,
      case when kind.ended then now() - n * interval '36 s' else now() + kind.due * interval '1 s' - n * interval '3 s' end, now() - n * interval '40 s',
      case when kind.attempts > 0 then now() - n * interval '35 s' end,
      case when kind.ended then now() - n * interval '34 s' end, now() - n * interval '34 s',
      kind.error, case when kind.status = 'job_status_running' then now() end,
      case when kind.status = 'job_status_running' then gen_random_uuid() end,
      jsonb_build_object('order', 4200 + n, 'items', jsonb_build_array(jsonb_build_object('sku', 'A-' || n, 'count', 1 + n % 3)), 'express', n % 5 = 0),
      case when kind.error is not null then (select jsonb_agg(jsonb_build_object('attempt', a, 'error', kind.error,
        'at', now() - n * (case when a = kind.attempts then 34 else 36 + 0.9 * (kind.attempts - a) end) * interval '1 s')) from generate_series(1, kind.attempts) as a) end
    from generate_series(1, 600) as n
    cross join lateral (select case when n <= 6 then 'running' when n <= 40 then 'due' when n <= 60 then 'later' when n <= 72 then 'again'
      when n % 17 = 0 then 'failed' when n % 53 = 0 then 'late' else 'done' end as name) as its
    join (values
      ('running', 'job_status_running', 1, 0, false, null),
      ('due', 'job_status_not_started', 0, 0, false, null),
      ('later', 'job_status_not_started', 0, 7200, false, null),
      ('again', 'job_status_retry', 2, 300, false, 'Error: connect ETIMEDOUT payments.example:443'),
      ('failed', 'job_status_failed', 5, 0, true, E'PaymentError: the card was declined\\n    at charge (payments.js:42:11)\\n    at run (orders.js:17:3)'),
      ('late', 'job_status_timed_out', 1, 0, true, 'TimeoutError: the handler ran longer than 30 s'),
      ('done', 'job_status_succeeded', 1, 0, true, null)
    ) as kind(name, status, attempts, due, ended, error) using (name)`.execute(db)
}

/** The last day by hours and the last three hours by minutes, with a quiet night and a busy noon. */
async function fillHistory(db: Kysely<any>): Promise<void> {
  await sql`
    insert into job_history (job_schema, job_table, step, began_at, claimed, succeeded, retry, failed, wait_counts, wait_ms, duration_counts,
      duration_ms, sampled_at, due, pending, running, oldest_wait_ms)
    select 'public', of.name, step.name, date_trunc(step.name, now()) - n * step.size, load.jobs, load.jobs * 0.96, load.jobs * 0.03, load.jobs * 0.01,
      array[0, 0, load.jobs * (0.3 - load.tide * 0.2), load.jobs * 0.4, load.jobs * (0.2 + load.tide * 0.2), 0, load.jobs * 0.1 * load.tide]::int[], load.jobs * 5,
      array[0, 0, 0, 0, 0, 0, 0, 0, 0, load.jobs * 0.3, load.jobs * 0.4, load.jobs * (0.1 + load.tide * 0.2), load.jobs * 0.1, load.jobs * 0.05 * load.tide]::int[],
      load.jobs * 40, now(), load.jobs * load.tide / 3, load.jobs * load.tide / 2, 6, 400
    from (values ('order_jobs', 1.0), ('mail_jobs', 0.6)) as of(name, share)
    cross join (values ('hour', interval '1 hour', 60), ('minute', interval '1 minute', 1)) as step(name, size, minutes)
    cross join generate_series(0, 180) as n
    cross join lateral (select (of.share * step.minutes * (90 + 60 * sin((n * step.minutes) / 229.0) + (n * 37 % 23)))::bigint as jobs,
      0.5 + 0.4 * sin(n / 5.0) + (n * 53 % 11) / 100.0 as tide) as load`.execute(db)
}
