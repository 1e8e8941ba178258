import { type Kysely, sql } from 'kysely'
import { createJobTable } from 'kysely-jobs/migrate'

/** As one of ours: its fence asks for eleven values of `locked_by`. */
export const worker = '0000ea60-6b6a-8a51-9a3e-3a4f3c1f2a10'
const gone = 'ffffffff-0000-4000-8000-000000000000'

/**
 * A table of 200,000 jobs, mixed page by page: 60 % ended, 20 % due in an hour, 14 % in retry until later, 5 % due now,
 * and 1 % running, a tenth of these held by a worker that is gone. Its statistics are those of the empty table it was.
 */
export async function fillLargeTable(db: Kysely<any>, table: string, priority: boolean): Promise<void> {
  await createJobTable(db, table, (builder) => builder.addColumn('user_id', 'integer'), {
    columns: priority ? ['priority', 'errors'] : ['errors'],
    notify: 'none',
  })
  await sql`alter table ${sql.table(table)} set (autovacuum_enabled = off)`.execute(db)
  await sql`analyze ${sql.table(table)}`.execute(db)
  const level = priority ? sql`, priority` : sql``
  await sql`
    insert into ${sql.table(table)} (status, attempts_count, run_at, updated_at, locked_at, locked_by, user_id${level})
    select (case when n % 200 = 199 then 'job_status_running' when n % 100 < 50 then 'job_status_succeeded'
        when n % 100 < 60 then 'job_status_failed' when n % 100 < 74 then 'job_status_retry'
        else 'job_status_not_started' end)::job_status,
      case when n % 200 < 199 and n % 100 >= 74 then 0 else 1 end,
      now() + case when n % 100 between 60 and 94 then n else -n end * interval '1 second',
      now() - n * interval '1 second',
      case when n % 200 = 199 then now() - case when n % 2000 = 1999 then interval '1 hour' else '0' end end,
      case when n % 200 = 199 then (case when n % 2000 = 1999 then ${gone} else ${worker} end)::uuid end,
      n % 50 ${priority ? sql`, n % 4` : sql``}
    from generate_series(1, 200000) as n`.execute(db)
}

/** The statistics in which each plan has to hold: those of an empty table, and true ones. */
export const statistics = ['of an empty table', 'fresh'] as const
