import type { Kysely } from 'kysely'
import { createJobTable, dropJobTable } from 'kysely-jobs/migrate'

/** The README's table: a mail to send. */
export const up = (db: Kysely<any>) =>
  createJobTable(db, 'send_mail_jobs', (table) =>
    table
      .addColumn('address', 'text', (column) => column.notNull())
      .addColumn('subject', 'text', (column) => column.notNull()),
  )

export const down = (db: Kysely<any>) => dropJobTable(db, 'send_mail_jobs')
