import { type Kysely, sql } from 'kysely'
import { createJobTable, dropJobTable } from 'kysely-jobs/migrate'

/** Users, and jobs that refer to one: with a user go the jobs. */
export async function up(db: Kysely<any>): Promise<void> {
  await db.schema
    .createTable('users')
    .addColumn('id', 'uuid', (column) => column.primaryKey().defaultTo(sql`gen_random_uuid()`))
    .addColumn('email', 'text', (column) => column.notNull().unique())
    .execute()
  await createJobTable(db, 'welcome_jobs', (table) =>
    table.addColumn('user_id', 'uuid', (column) => column.notNull().references('users.id').onDelete('cascade')),
  )
}

export async function down(db: Kysely<any>): Promise<void> {
  await dropJobTable(db, 'welcome_jobs')
  await db.schema.dropTable('users').execute()
}
