import { type Kysely, sql } from 'kysely'
import {
  createJobArchive,
  createJobHistory,
  createJobLimits,
  createJobPauses,
  createJobRunners,
  createJobSchedules,
  createJobTable,
} from 'kysely-jobs/migrate'

/** A database with a job table of all columns, its archive and all side tables; and in another schema one whose name needs quotes. */
export async function shop(db: Kysely<any>): Promise<void> {
  await createJobTable(
    db,
    'mail_jobs',
    (table) => table.addColumn('to', 'text').addColumn('tenant_id', 'integer').addColumn('payload', 'jsonb'),
    { id: 'int', columns: ['priority', 'max_attempts', 'started_at', 'finished_at', 'errors', 'result'] },
  )
  await createJobArchive(db, 'mail_jobs')
  await sql`create schema "My shop"`.execute(db)
  await createJobTable(db, 'My shop.Odd "jobs"', (table) => table.addColumn('Select', 'text'), { id: 'int' })
  for (const create of [createJobPauses, createJobRunners, createJobHistory, createJobSchedules, createJobLimits]) {
    await create(db)
  }
}

/** Jobs of ids in a row, in a status, that are so old. */
export async function put(
  db: Kysely<any>,
  [first, last]: readonly [number, number],
  status: string,
  { age = '0 s', error = null as string | null, table = 'mail_jobs' } = {},
): Promise<void> {
  await sql`
    insert into ${sql.table(table)} (id, status, attempts_count, run_at, created_at, updated_at, last_error, locked_by, locked_at)
    select n, ${`job_status_${status}`}::job_status, ${status === 'not_started' ? 0 : 1}, now() - ${age}::interval,
      now() - ${age}::interval, now() - ${age}::interval, ${error},
      case when ${status} = 'running' then gen_random_uuid() end, case when ${status} = 'running' then now() end
    from generate_series(${first}::integer, ${last}::integer) n`.execute(db)
}
