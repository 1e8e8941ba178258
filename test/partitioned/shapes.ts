import { type Kysely, sql } from 'kysely'
import { addJobColumns, createJobIndexes, createJobTriggers, setJobStorage } from 'kysely-jobs/migrate'

/** How users partition their job tables, each with a tenant and a note of their own. */
export const shapes = {
  by_day: `create table by_day (id bigserial, created_at timestamptz not null default now(),
      tenant text not null default 'none', note text, primary key (id, created_at)) partition by range (created_at);
    create table by_day_old partition of by_day for values from (minvalue) to ('2026-03-01 00:00:00.000001+00');
    create table by_day_new partition of by_day for values from ('2026-03-01 00:00:00.000001+00') to ('2400-01-01');
    create table by_day_rest partition of by_day default`,
  by_time: `create table by_time (id bigserial, run_at timestamptz not null default now(),
      tenant text not null default 'none', note text, primary key (id, run_at)) partition by range (run_at);
    create table by_time_past partition of by_time for values from (minvalue) to ('2026-03-01');
    create table by_time_soon partition of by_time for values from ('2026-03-01') to ('2400-01-01');
    create table by_time_rest partition of by_time default`,
  by_id: `create table by_id (id uuid primary key default gen_random_uuid(), tenant text not null default 'none', note text) partition by hash (id);
    create table by_id_0 partition of by_id for values with (modulus 3, remainder 0);
    create table by_id_1 partition of by_id for values with (modulus 3, remainder 1);
    create table by_id_2 partition of by_id for values with (modulus 3, remainder 2)`,
  by_tenant: `create table by_tenant (id bigserial, tenant text not null default 'none', note text,
      primary key (id, tenant)) partition by hash (tenant);
    create table by_tenant_0 partition of by_tenant for values with (modulus 2, remainder 0);
    create table by_tenant_1 partition of by_tenant for values with (modulus 2, remainder 1)`,
  by_both: `create table by_both (id bigserial, created_at timestamptz not null default now(),
      tenant text not null default 'none', note text, primary key (id, tenant, created_at)) partition by list (tenant);
    create table by_both_ann partition of by_both for values in ('ann');
    create table by_both_rest partition of by_both default partition by range (created_at);
    create table by_both_old partition of by_both_rest for values from (minvalue) to ('2026-03-01');
    create table by_both_new partition of by_both_rest default`,
} as const

export type Shape = keyof typeof shapes

export const allShapes = Object.keys(shapes) as Shape[]

/** Those in which two jobs may have one id. */
export const manyOfOneId = allShapes.filter((shape) => shape !== 'by_id')

const optional = ['priority', 'max_attempts', 'result', 'started_at', 'finished_at', 'errors'] as const

/** A job table of this shape, as a user's migrations make it. */
export async function createPartitioned(db: Kysely<any>, shape: Shape): Promise<void> {
  await sql`${sql.raw(shapes[shape])}`.execute(db)
  await addJobColumns(db, shape, { columns: optional })
  for (const make of [createJobIndexes, createJobTriggers, setJobStorage]) await make(db, shape)
}

/** The jobs' statuses by their notes. */
export async function statuses(db: Kysely<any>, shape: Shape): Promise<Record<string, string>> {
  const rows = await db.selectFrom(shape).select(['note', 'status']).execute()
  return Object.fromEntries(rows.map(({ note, status }) => [note, status.replace('job_status_', '')]))
}

/** Jobs of one id where the table may have several: two that are due, in partitions of their own, and three that are nobody's to touch. */
const jobs = [
  { tenant: 'ann', note: 'good', status: 'not_started', time: '2026-02-01' },
  { tenant: 'bob', note: 'bad', status: 'not_started', time: '2026-03-02' },
  { tenant: 'eve', note: 'ended', status: 'succeeded', time: '2026-02-02' },
  { tenant: 'dan', note: 'tomorrow', status: 'not_started', time: '2500-01-01' },
]
/** What becomes of the latter. */
export const untouched = { ended: 'succeeded', tomorrow: 'not_started' }

/** In an empty table. */
export async function insertJobs(db: Kysely<any>, shape: Shape): Promise<void> {
  await db.deleteFrom(shape).execute()
  const rows = jobs.map(({ status, time, ...own }) => ({
    ...own,
    ...(shape !== 'by_id' && { id: 1 }),
    status: `job_status_${status}`,
    run_at: time,
    created_at: time,
  }))
  await db.insertInto(shape).values(rows).execute()
}
