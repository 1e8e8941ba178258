import { type ColumnType, type Kysely, sql } from 'kysely'
import { createJobTable, type JobTableOptions } from 'kysely-jobs/migrate'
import type { Nine } from '../types/database.js'

/** A table whose jobs are unique by shop and resource. */
export interface SyncJobs extends Nine {
  shop: number
  resource: string
  cursor: string | null
  body: ColumnType<unknown, string | null, string | null>
  size: ColumnType<number, number | undefined, number>
}

export interface SyncDatabase {
  sync_jobs: SyncJobs
  /** The same, of which those that have begun don't count. */
  queued_jobs: SyncJobs
  /** The same, at most one in an hour. */
  hourly_jobs: SyncJobs
  /** The same, without any index. */
  plain_jobs: SyncJobs
}

/** The set. */
export const unique = ['shop', 'resource'] as const

export async function createSyncTables(db: Kysely<any>): Promise<void> {
  const create = (name: string, options: JobTableOptions) =>
    createJobTable(
      db,
      name,
      (table) =>
        table
          .addColumn('shop', 'integer', (column) => column.notNull())
          .addColumn('resource', 'text', (column) => column.notNull())
          .addColumn('cursor', 'text')
          .addColumn('body', 'jsonb')
          .addColumn('size', 'integer', (column) => column.notNull().defaultTo(1)),
      { notify: 'none', ...options },
    )
  await create('sync_jobs', { unique: [unique] })
  await create('queued_jobs', { unique: [{ columns: unique, whileRunning: 'queue' }] })
  await create('hourly_jobs', { unique: [{ columns: unique, within: true }] })
  await create('plain_jobs', {})
}

/** How many jobs there are, in which statuses. */
export async function statuses(db: Kysely<any>, table: string): Promise<string[]> {
  const { rows } = await sql<{ status: string }>`
    select replace(status::text, 'job_status_', '') as status from ${sql.table(table)} order by created_at, id`.execute(
    db,
  )
  return rows.map(({ status }) => status)
}
