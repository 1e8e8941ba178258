import type { Kysely } from 'kysely'
import { createJobTable, dropJobTable } from 'kysely-jobs/migrate'

/** Accounts, and jobs that move money between two of them. */
export async function up(db: Kysely<any>): Promise<void> {
  await db.schema
    .createTable('accounts')
    .addColumn('owner', 'text', (column) => column.primaryKey())
    .addColumn('balance', 'integer', (column) => column.notNull())
    .execute()
  await createJobTable(db, 'transfer_jobs', (table) =>
    table
      .addColumn('payer', 'text', (column) => column.notNull().references('accounts.owner'))
      .addColumn('payee', 'text', (column) => column.notNull().references('accounts.owner'))
      .addColumn('amount', 'integer', (column) => column.notNull()),
  )
}

export async function down(db: Kysely<any>): Promise<void> {
  await dropJobTable(db, 'transfer_jobs')
  await db.schema.dropTable('accounts').execute()
}
