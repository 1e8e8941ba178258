import { type Generated, type Kysely, sql } from 'kysely'
import type { JobStatus } from 'kysely-jobs'
import { createJobLimits, createJobTable, createKeyIndexes } from 'kysely-jobs/migrate'

interface LimitedJobs {
  id: Generated<string>
  created_at: Generated<Date>
  updated_at: Generated<Date>
  status: Generated<JobStatus>
  last_error: string | null
  attempts_count: Generated<number>
  locked_at: Date | null
  locked_by: string | null
  run_at: Generated<Date>
  tenant: number
  /** Its place in the line of its tenant. */
  place: number
}

/** A row that began to run (1), or ended (-1), by a trigger in the same transaction; times are milliseconds of the epoch. */
export interface Move {
  readonly job_table: Limited
  readonly tenant: number
  readonly place: number
  readonly step: 1 | -1
  /** When its transaction began, and when it was written. */
  readonly asked: number
  readonly at: number
}

/** One run of a handler, as it tells itself. */
export interface Span {
  readonly id: number
  readonly job_table: Limited
  readonly tenant: number
  readonly pid: number
  readonly begun: number
  readonly ended: number | null
  /** It was told to end: its lease was lost, or its process had to. */
  readonly aborted: boolean | null
}

/** What workers of a table are told, and what of it a witness needs. */
export interface Promised {
  readonly options: object
  readonly tenants: number
  /** The most jobs of a tenant, and of all, at once. */
  readonly ofOne: number
  readonly ofAll: number
  readonly rate?: { readonly perSecond: number; readonly burst: number }
  readonly isLine?: true
}

export const limited = {
  polite_jobs: { options: { limit: { by: 'tenant', max: 2 } }, tenants: 8, ofOne: 2, ofAll: 16 },
  few_jobs: { options: { limit: { max: 10 } }, tenants: 8, ofOne: 10, ofAll: 10 },
  line_jobs: { options: { fifo: 'tenant' }, tenants: 1_000, ofOne: 1, ofAll: 1_000, isLine: true },
  paced_jobs: {
    options: { rate: { by: 'tenant', max: 20, per: '1s', burst: 5 } },
    ...{ tenants: 4, ofOne: Number.POSITIVE_INFINITY, ofAll: Number.POSITIVE_INFINITY },
    rate: { perSecond: 20, burst: 5 },
  },
} as const satisfies Record<string, Promised>

export type Limited = keyof typeof limited
export const tables = Object.keys(limited) as readonly Limited[]

export type LimitedDatabase = Record<Limited, LimitedJobs> & { moves: Move }
export interface SpanDatabase {
  spans: Omit<Span, 'id'> & { readonly id: Generated<number> }
}

export async function createLimitedTables(db: Kysely<any>): Promise<void> {
  await createJobLimits(db)
  await sql`create table moves (job_table text, tenant int, place int, step int, asked float8, at float8)`.execute(db)
  await sql`create function record_move() returns trigger language plpgsql as $$ begin
    insert into moves values (tg_table_name, new.tenant, new.place, case when new.status = 'job_status_running' then 1 else -1 end,
      extract(epoch from transaction_timestamp()) * 1000, extract(epoch from clock_timestamp()) * 1000);
    return null;
  end $$`.execute(db)
  for (const table of tables) {
    await createJobTable(db, table, (builder) =>
      builder
        .addColumn('tenant', 'integer', (column) => column.notNull())
        .addColumn('place', 'integer', (column) => column.notNull()),
    )
    await createKeyIndexes(db, table, ['tenant'], { fifo: 'continue' })
    await sql`create trigger record_move after update on ${sql.table(table)} for each row
      when (old.status is distinct from new.status and 'job_status_running' in (old.status, new.status))
      execute function record_move()`.execute(db)
  }
}

export async function createSpans(db: Kysely<SpanDatabase>): Promise<void> {
  await sql`create table spans (id serial primary key, job_table text, tenant int, pid int, begun float8, ended float8, aborted bool)`.execute(
    db,
  )
}

/** So many jobs of each tenant, in the order of their places. */
export async function fill(db: Kysely<LimitedDatabase>, table: Limited, jobs: number): Promise<void> {
  await sql`insert into ${sql.table(table)} (tenant, place, created_at, run_at)
    select n % ${limited[table].tenants}::int, n, now() + n * interval '1 microsecond', now() from generate_series(1, ${jobs}::int) n`.execute(
    db,
  )
  await sql`vacuum analyze ${sql.table(table)}`.execute(db)
}
