import { pausesTable } from '../schema/side-table.js'
import type { MigrationDatabase } from './migration-database.js'
import { createSideTable, dropSideTable } from './side-table.js'

/**
 * Makes `job_pauses`, which remembers what `pauseJobs` has paused: once for a database, or for a schema of one. Called again it brings the
 * table to this package's version.
 *
 * @example export const up = (db: Kysely<any>) => createJobPauses(db)
 * @throws SideTableTakenError where the name is another table's; JobTableNameError
 */
export async function createJobPauses(db: MigrationDatabase): Promise<void> {
  await createSideTable(db, pausesTable, [firstVersion])
}

/**
 * Drops it: whatever was paused goes on, within a second where workers only poll, at the latest with their next poll where they listen.
 * @throws SideTableTakenError
 * @example export const down = (db: Kysely<any>) => dropJobPauses(db)
 */
export async function dropJobPauses(db: MigrationDatabase): Promise<void> {
  await dropSideTable(db, pausesTable)
}

/** A key has the columns' names and their values as texts; that of a whole table has none. Large enough for it, small enough for an index. */
const firstVersion = (name: string) => [
  `create table ${name} (
    job_schema text not null,
    job_table text not null,
    paused_key jsonb not null,
    reason text,
    until timestamptz,
    paused_at timestamptz not null default now(),
    primary key (job_schema, job_table, paused_key)
  )`,
]
