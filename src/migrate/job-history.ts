import { historyTable } from '../schema/side-table.js'
import type { MigrationDatabase } from './migration-database.js'
import { createSideTable, dropSideTable } from './side-table.js'

/**
 * Makes `job_history`, in which runners add up what became of jobs, and how much waited, by minutes and hours (`jobHistory`): once for a
 * database, or for a schema of one. Called again it brings the table to this package's version.
 *
 * @example export const up = (db: Kysely<any>) => createJobHistory(db)
 * @throws SideTableTakenError where the name is another table's; JobTableNameError
 */
export async function createJobHistory(db: MigrationDatabase): Promise<void> {
  await createSideTable(db, historyTable, [firstVersion])
}

/**
 * Drops it, with all history. @throws SideTableTakenError
 * @example export const down = (db: Kysely<any>) => dropJobHistory(db)
 */
export async function dropJobHistory(db: MigrationDatabase): Promise<void> {
  await dropSideTable(db, historyTable)
}

/**
 * A row for each minute, and one for each hour, of each job table. What changes in it is in no index, so that it is written in its page. Counts of
 * durations are by the places of histograms; samples are the highest of that time, none where none was taken.
 */
const firstVersion = (name: string) => [
  `create table ${name} (
    job_schema text not null,
    job_table text not null,
    step text not null check (step in ('minute', 'hour')),
    began_at timestamptz not null,
    claimed bigint not null default 0,
    succeeded bigint not null default 0,
    retry bigint not null default 0,
    failed bigint not null default 0,
    timed_out bigint not null default 0,
    cancelled bigint not null default 0,
    snoozed bigint not null default 0,
    released bigint not null default 0,
    lost bigint not null default 0,
    rescued bigint not null default 0,
    wait_counts integer[] not null default '{}',
    wait_ms double precision not null default 0,
    duration_counts integer[] not null default '{}',
    duration_ms double precision not null default 0,
    sampled_at timestamptz,
    due integer,
    pending integer,
    running integer,
    oldest_wait_ms double precision,
    primary key (job_schema, job_table, step, began_at)
  ) with (fillfactor = 70)`,
  `create index on ${name} (step, began_at)`,
]
