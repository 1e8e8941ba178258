import { schedulesTable } from '../schema/side-table.js'
import type { MigrationDatabase } from './migration-database.js'
import { createSideTable, dropSideTable } from './side-table.js'

/**
 * Makes `job_schedules`, the table of recurring jobs: once for a database, or for a schema of one. Called again it brings the
 * table to this package's version.
 *
 * @example export const up = (db: Kysely<any>) => createJobSchedules(db)
 * @throws SideTableTakenError where the name is another table's; JobTableNameError
 */
export async function createJobSchedules(db: MigrationDatabase): Promise<void> {
  await createSideTable(db, schedulesTable, [firstVersion])
}

/**
 * Drops it, with all schedules; the jobs that they made stay. @throws SideTableTakenError
 * @example export const down = (db: Kysely<any>) => dropJobSchedules(db)
 */
export async function dropJobSchedules(db: MigrationDatabase): Promise<void> {
  await dropSideTable(db, schedulesTable)
}

/** `fires_at` is what runners look for; a paused schedule has none, but where it was triggered by hand. */
const firstVersion = (name: string) => [
  `create table ${name} (
    job_schema text not null,
    job_table text not null,
    name text not null,
    cron text,
    time_zone text,
    every_ms bigint,
    job_values json,
    missed text not null,
    skip_if_unfinished boolean not null,
    declared boolean not null,
    undeclared_at timestamptz,
    next_slot timestamptz,
    last_slot timestamptz,
    last_job text,
    triggered_at timestamptz,
    triggers integer not null default 0,
    paused_at timestamptz,
    fires_at timestamptz generated always as (least(triggered_at, case when paused_at is null then next_slot end)) stored,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (name, job_schema, job_table)
  ) with (fillfactor = 70)`,
  `create index on ${name} (job_schema, job_table, fires_at)`,
]
