import { runnersTable } from '../schema/side-table.js'
import type { MigrationDatabase } from './migration-database.js'
import { createSideTable, dropSideTable } from './side-table.js'

/**
 * Makes `job_runners`, in which each runner has a row that says how it and its workers are (`listRunners`): once for a database, or for a
 * schema of one. Called again it brings the table to this package's version.
 *
 * @example export const up = (db: Kysely<any>) => createJobRunners(db)
 * @throws SideTableTakenError where the name is another table's; JobTableNameError
 */
export async function createJobRunners(db: MigrationDatabase): Promise<void> {
  await createSideTable(db, runnersTable, [firstVersion])
}

/**
 * Drops it; runners go on, and are not listed any more. @throws SideTableTakenError
 * @example export const down = (db: Kysely<any>) => dropJobRunners(db)
 */
export async function dropJobRunners(db: MigrationDatabase): Promise<void> {
  await dropSideTable(db, runnersTable)
}

/** A row is written every ten seconds: in its page, as none of what changes is in an index. */
const firstVersion = (name: string) => [
  `create table ${name} (
    id uuid primary key,
    host text not null,
    pid integer not null,
    package_version text not null,
    node_version text not null,
    started_at timestamptz not null,
    seen_at timestamptz not null default now(),
    workers jsonb not null
  ) with (fillfactor = 50)`,
]
