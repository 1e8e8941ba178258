import type { Kysely } from 'kysely'
import { createJobTable, dropJobTable } from 'kysely-jobs/migrate'

/** The demo's table: a file to read, and what was found out about it. `errors` keeps every failed attempt. */
export const up = (db: Kysely<any>) =>
  createJobTable(
    db,
    'file_jobs',
    (table) =>
      table
        .addColumn('path', 'text', (column) => column.notNull())
        .addColumn('sha256', 'text')
        .addColumn('size', 'bigint')
        .addColumn('lines', 'bigint'),
    { columns: ['errors'] },
  )

export const down = (db: Kysely<any>) => dropJobTable(db, 'file_jobs')
