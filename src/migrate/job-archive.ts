import { readJobTable } from '../schema/inspect.js'
import {
  allJobsComment,
  allJobsName,
  archiveComment,
  archiveName,
  quoted,
  quotedName,
  type TableName,
} from '../schema/names.js'
import type { JobArchiveOptions } from './archive-options.js'
import { archiveTimes } from './archive-times.js'
import { createKeepFunction, keepFunction, keptTimes, restOf } from './keep-archive.js'
import { catalogQuery, execute, literal, type MigrationDatabase, serverVersion } from './migration-database.js'
import { checkOptions } from './options.js'
import { changeTable, type Target } from './target.js'

/** A job table that can't have an archive as it is. */
export class JobArchiveError extends Error {
  override readonly name = 'JobArchiveError'
  readonly code = 'NO_ARCHIVE'
}

/**
 * Makes the archive of a job table, also of one in use, which it doesn't lock: the table `<table>_archive` of its finished jobs,
 * partitioned by when they finished (`updated_at`), the view `<table>_all` of both, and the function
 * `keep_job_archive_<table>`, by which a runner makes partitions ahead and drops old ones. Workers move jobs there
 * with the option `succeeded: 'archive'` or `finished: 'archive'`.
 *
 * Called again it gives the archive the columns that the table has got since, and changes `every` for partitions to come and
 * `keep` at once, where they are given.
 *
 * @example await createJobArchive(db, 'send_mail_jobs', { every: '1 day', keep: '30 days' })
 * @throws JobArchiveError where rows of other tables hold jobs fast, or the name is taken; JobTableError, JobTableOptionError, JobTableNameError, NoSuchTableError
 */
export async function createJobArchive(
  db: MigrationDatabase,
  name: string,
  options: JobArchiveOptions = {},
): Promise<void> {
  const { references, ...periods } = options
  checkOptions({ ...options, every: undefined, keep: undefined }, { every: [], keep: [], references: ['follow'] })
  await changeTable(db, name, async (target) => {
    await readJobTable(target.db, target.table)
    refuseNodes(target)
    await refuseReferences(target, references)
    if (target.catalog.archive === null) await createArchive(target)
    await syncArchive(target)
    const times = archiveTimes(periods, await keptTimes(target.db, target.table))
    await createKeepFunction(target.db, target.table, times)
    await execute(target.db, `select ${keepFunction(target.table)}()`)
  })
}

/**
 * Drops an archive with all jobs in it, its view and its function. @throws JobTableNameError, NoSuchTableError
 * @example await dropJobArchive(db, 'send_mail_jobs')
 */
export async function dropJobArchive(db: MigrationDatabase, name: string): Promise<void> {
  await changeTable(db, name, dropArchive)
}

export async function dropArchive({ db, table, catalog }: Target): Promise<void> {
  if (catalog.archive === null) return
  if ((await viewIn(db, table))?.isOurs) await execute(db, `drop view ${viewOf(table)}`)
  await execute(db, `drop table ${nameOf(table)}`)
  await execute(db, `drop function ${keepFunction(table)}()`)
}

/**
 * Does what a runner does every few minutes, for those without one: makes an archive's partitions ahead, and drops old ones.
 * Of many calls at a time one does it, the others do nothing. From SQL, as by pg_cron: `select keep_job_archive_<table>()`.
 *
 * @example await keepJobArchive(db, 'send_mail_jobs')
 * @throws JobArchiveError where there is none; JobTableNameError, NoSuchTableError
 */
export async function keepJobArchive(db: MigrationDatabase, name: string): Promise<void> {
  await changeTable(db, name, async ({ db: plain, table, catalog }) => {
    if (catalog.archive === null)
      throw new JobArchiveError(`${quotedName(table)} has no archive: createJobArchive makes it`)
    await execute(plain, `select ${keepFunction(table)}()`)
  })
}

/** @throws JobArchiveError where jobs can't go from the node of each to one table */
function refuseNodes({ table, placement }: Target): void {
  if (placement.kind !== 'distributed') return
  throw new JobArchiveError(
    `${quotedName(table)} is distributed by '${placement.by}', and jobs go to no archive from several nodes: leave it out, and take finished jobs out of the table (succeeded: 'delete', pruneJobs), or keep the jobs in a table on one node`,
  )
}

const nameOf = (table: TableName): string => quotedName({ schema: table.schema, name: archiveName(table) })
const viewOf = (table: TableName): string => quotedName({ schema: table.schema, name: allJobsName(table) })

/** Without the table's constraints, defaults and identity: what a job was is kept as it was. */
async function createArchive({ db, table }: Target): Promise<void> {
  const archive = nameOf(table)
  const taken = `select pg_catalog.to_regclass(${literal(archive)})::text as taken`
  if ((await catalogQuery<{ taken: string | null }>(db, taken))[0]?.taken) {
    throw new JobArchiveError(`${archive} is there, and no archive that createJobArchive made: rename it`)
  }
  await execute(
    db,
    `create table ${archive} (like ${quotedName(table)} including comments) partition by range (updated_at)`,
  )
  await execute(db, `comment on table ${archive} is ${literal(`${archiveComment} ${table.name}`)}`)
  await execute(db, `create table ${restOf(table)} partition of ${archive} default`)
  await execute(db, `create index on ${restOf(table)} (updated_at)`)
  await execute(db, `create index on ${archive} (id)`)
  await execute(db, `create index on ${archive} (status, updated_at) where status <> 'job_status_succeeded'`)
}

/**
 * Gives the archive the columns that it lacks, takes NOT NULL from those that the table lacks, has row-level security hold for it
 * where it holds for the table, and makes the view that is of the columns there are now.
 */
export async function syncArchive({ db, table }: Pick<Target, 'db' | 'table'>): Promise<void> {
  const archive = nameOf(table)
  const differing = await catalogQuery<{ change: string }>(db, differences(table))
  if (differing.length > 0)
    await execute(db, `alter table ${archive} ${differing.map(({ change }) => change).join(', ')}`)
  await execute(db, `do ${literal(securing(table))}`)
  await makeView(db, table)
}

/** Of each partition as well: whoever is granted all tables of the schema could read those by their names. */
function securing(table: TableName): string {
  const oidOf = (name: string) => `${literal(name)}::pg_catalog.regclass`
  return `declare part pg_catalog.regclass;
  begin
    if not (select relrowsecurity from pg_catalog.pg_class where oid = ${oidOf(quotedName(table))}) then
      return;
    end if;
    for part in select relid from pg_catalog.pg_partition_tree(${oidOf(nameOf(table))}) loop
      execute pg_catalog.format('alter table %s enable row level security', part);
    end loop;
  end`
}

/** A view that serves as it is keeps its grants, and what depends on it. */
async function makeView(db: MigrationDatabase, table: TableName): Promise<void> {
  const view = viewOf(table)
  const names = (await readJobTable(db, table)).columns.map(({ name }) => name)
  const present = await viewIn(db, table)
  if (present?.isOurs === false)
    throw new JobArchiveError(`${view} is there, and no view that createJobArchive made: rename it`)
  const isBeginning = present?.columns.every((name, place) => name === names[place])
  if (isBeginning === false) await execute(db, `drop view ${view}`)
  const isInvoker = (await serverVersion(db)) >= 150_000 ? ' with (security_invoker = true)' : ''
  const list = names.map(quoted).join(', ')
  await execute(
    db,
    `create or replace view ${view}${isInvoker} as
    select ${list} from ${quotedName(table)} union all select ${list} from ${nameOf(table)}`,
  )
  await execute(db, `comment on view ${view} is ${literal(`${allJobsComment} ${table.name}`)}`)
}

interface FoundView {
  readonly isOurs: boolean
  readonly columns: readonly string[]
}

/** Whatever has the name of the view of all jobs. */
async function viewIn(db: MigrationDatabase, table: TableName): Promise<FoundView | undefined> {
  const [found] = await catalogQuery<{ isOurs: boolean; columns: string[] }>(
    db,
    `select c.relkind = 'v' and coalesce(pg_catalog.obj_description(c.oid, 'pg_class') like ${literal(`${allJobsComment} %`)}, false) as "isOurs",
      array(select a.attname::text from pg_catalog.pg_attribute a where a.attrelid = c.oid and a.attnum > 0 order by a.attnum) as columns
    from pg_catalog.pg_class c where c.oid = pg_catalog.to_regclass(${literal(viewOf(table))})`,
  )
  return found
}

/** What an archive's columns lack, as parts of ALTER TABLE. */
function differences(table: TableName): string {
  const oidOf = (name: string) => `${literal(name)}::pg_catalog.regclass`
  return `
    select pg_catalog.format('add column %I %s', t.attname, pg_catalog.format_type(t.atttypid, t.atttypmod)) as change
    from pg_catalog.pg_attribute t
    where t.attrelid = ${oidOf(quotedName(table))} and t.attnum > 0 and not t.attisdropped and not exists (
      select from pg_catalog.pg_attribute a where a.attrelid = ${oidOf(nameOf(table))} and a.attname = t.attname and not a.attisdropped)
    union all
    select pg_catalog.format('alter column %I drop not null', a.attname)
    from pg_catalog.pg_attribute a
    where a.attrelid = ${oidOf(nameOf(table))} and a.attnum > 0 and not a.attisdropped and a.attnotnull and not exists (
      select from pg_catalog.pg_attribute t where t.attrelid = ${oidOf(quotedName(table))} and t.attname = a.attname and t.attnotnull and not t.attisdropped)`
}

/** What a foreign key does with its row when the job goes, as pg_constraint has it. */
const deeds: Readonly<Record<string, string>> = {
  c: 'on delete cascade: its rows would be deleted',
  n: 'on delete set null: its rows would be untied',
  d: 'on delete set default: its rows would be given the default',
}

/** @throws JobArchiveError */
async function refuseReferences({ db, table }: Target, references: 'follow' | undefined): Promise<void> {
  const keys = await catalogQuery<{ key: string; type: string }>(
    db,
    `select pg_catalog.format('%I on %s', k.conname, k.conrelid::pg_catalog.regclass) as key, k.confdeltype::text as type
    from pg_catalog.pg_constraint k
    where k.contype = 'f' and k.conparentid = 0 and k.confrelid = ${literal(quotedName(table))}::pg_catalog.regclass
    order by 1`,
  )
  const refused = keys.filter(({ type }) => references !== 'follow' || deeds[type] === undefined)
  if (refused.length === 0) return
  const list = refused.map(({ key, type }) => `${key} (${deeds[type] ?? 'it would hold each job back'})`).join(', ')
  throw new JobArchiveError(
    `${quotedName(table)} is referenced by ${list}; to move a job to the archive is to delete it from its table. Drop such a key (the id stays what it is, and is found in ${viewOf(table)}), or let it be 'on delete cascade' or 'set null' and say { references: 'follow' }`,
  )
}
