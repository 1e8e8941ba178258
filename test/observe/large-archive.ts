import { type Kysely, sql } from 'kysely'
import { createJobTable } from 'kysely-jobs/migrate'

/** A table of 200,000 jobs that have ended, of which three in four are in its archive. */
export async function fillLargeArchive(db: Kysely<any>, table: string): Promise<void> {
  await createJobTable(db, table, (builder) => builder.addColumn('user_id', 'integer'), {
    archive: { every: '1 day', keep: '60 days' },
    notify: 'none',
  })
  const ended = (name: string, first: number, last: number) => sql`
    insert into ${sql.table(name)} (id, status, attempts_count, created_at, run_at, updated_at, user_id)
    select gen_random_uuid(), (case when n % 10 = 0 then 'job_status_failed' else 'job_status_succeeded' end)::job_status, 1,
      now(), now(), now() - n * interval '13 seconds', n % 50
    from generate_series(${first}::int, ${last}::int) as n`
  await ended(table, 1, 50_000).execute(db)
  await ended(`${table}_archive`, 50_001, 200_000).execute(db)
}
