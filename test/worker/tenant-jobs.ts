import { type Generated, type Kysely, sql } from 'kysely'
import { createJobLimits, createJobTable, createKeyIndexes } from 'kysely-jobs/migrate'

export interface TenantDatabase {
  tenant_jobs: {
    id: Generated<string>
    created_at: Generated<Date>
    updated_at: Generated<Date>
    status: Generated<string>
    last_error: string | null
    attempts_count: Generated<number>
    locked_at: Date | null
    locked_by: string | null
    run_at: Generated<Date>
    tenant_id: number
    place: number
    takes: Generated<number>
    most: Generated<number>
  }
  /** When handlers ran, by the database's clock: a witness. */
  spans: { tenant_id: number; place: number; began: Date; ended: Date | null }
}

export async function createTenantTables(db: Kysely<any>): Promise<void> {
  await createJobTable(db, 'tenant_jobs', (table) =>
    table
      .addColumn('tenant_id', 'integer', (column) => column.notNull())
      .addColumn('place', 'integer', (column) => column.notNull())
      .addColumn('takes', 'integer', (column) => column.notNull().defaultTo(3))
      .addColumn('most', 'integer', (column) => column.notNull().defaultTo(2)),
  )
  await createKeyIndexes(db, 'tenant_jobs', ['tenant_id'], { fifo: 'continue' })
  await createJobLimits(db)
  await sql`create table spans (tenant_id int, place int, began timestamptz, ended timestamptz)`.execute(db)
}

/** A handler that leaves the time of its run. */
export function witnessed(db: Kysely<TenantDatabase>) {
  return async ({ tenant_id, place, takes }: { tenant_id: number; place: number; takes: number }) => {
    const { rows } = await sql<{ began: Date }>`
      insert into spans (tenant_id, place, began) select ${tenant_id}, ${place}, clock_timestamp() from pg_sleep(0)
      returning began::text as began`.execute(db)
    await new Promise((resolve) => setTimeout(resolve, takes))
    await sql`update spans set ended = clock_timestamp() where tenant_id = ${tenant_id} and place = ${place} and began = ${rows[0]?.began}::timestamptz`.execute(
      db,
    )
  }
}

/** The most handlers that ran at a time, of one tenant and of all. */
export async function mostAtOnce(db: Kysely<TenantDatabase>): Promise<{ ofOne: number; ofAll: number }> {
  const most = (partition: string) => sql`
    select max(running) from (
      select sum(step) over (${sql.raw(partition)} order by at, step) as running from (
        select tenant_id, began as at, 1 as step from spans where ended is not null
        union all select tenant_id, ended, -1 from spans where ended is not null) moves) counted`
  const { rows } = await sql<{ ofOne: number; ofAll: number }>`
    select (${most('partition by tenant_id')})::int as "ofOne", (${most('')})::int as "ofAll"`.execute(db)
  return rows[0] ?? { ofOne: 0, ofAll: 0 }
}
