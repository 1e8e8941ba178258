import { limitsTable } from '../schema/side-table.js'
import type { MigrationDatabase } from './migration-database.js'
import { createSideTable, dropSideTable } from './side-table.js'

/**
 * Makes `job_limits`, once for a database, or for a schema of one: for workers with `rate`, which keep there what they have used, and for
 * `limitJobs`, which gives single keys another limit. Called again it brings the table to this package's version.
 *
 * @example export const up = (db: Kysely<any>) => createJobLimits(db)
 * @throws SideTableTakenError where the name is another table's; JobTableNameError
 */
export async function createJobLimits(db: MigrationDatabase): Promise<void> {
  await createSideTable(db, limitsTable, [firstVersion])
}

/**
 * Drops it, with all limits that were set by `limitJobs`. @throws SideTableTakenError
 * @example export const down = (db: Kysely<any>) => dropJobLimits(db)
 */
export async function dropJobLimits(db: MigrationDatabase): Promise<void> {
  await dropSideTable(db, limitsTable)
}

/**
 * A key has a row for the limit that was set, and one for how far its rate is used: who sets limits holds up no claim. The latter is written with
 * each claim of the key: in its page, as none of what changes is in an index.
 */
const firstVersion = (name: string) => [
  `create table ${name} (
    job_schema text not null,
    job_table text not null,
    key jsonb not null,
    kind text not null check (kind in ('limit', 'rate')),
    max integer,
    used double precision not null default 0,
    used_at timestamptz not null default now(),
    primary key (job_schema, job_table, key, kind)
  ) with (fillfactor = 50)`,
]
