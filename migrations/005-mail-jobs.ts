import type { Kysely } from 'kysely'
import { createJobTable, dropJobTable } from 'kysely-jobs/migrate'

/** The tables of the worker's tests: a payload of one text, and what handlers leave. */
export async function up(db: Kysely<any>): Promise<void> {
  await createJobTable(db, 'mail_jobs', (table) => table.addColumn('to', 'text', (column) => column.notNull()))
  await db.schema
    .createTable('sent')
    .addColumn('job_id', 'uuid', (column) => column.notNull())
    .addColumn('attempt', 'integer', (column) => column.notNull())
    .execute()
}

export async function down(db: Kysely<any>): Promise<void> {
  await db.schema.dropTable('sent').execute()
  await dropJobTable(db, 'mail_jobs')
}
