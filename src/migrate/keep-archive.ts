import { archiveName, ended, keepArchiveName, quotedName, type TableName } from '../schema/names.js'
import { catalogQuery, execute, literal, type MigrationDatabase } from './migration-database.js'

/** How an archive is kept, in seconds. */
export interface ArchiveTimes {
  readonly every: number
  readonly keep: number
}

/** So many partitions are there ahead of time: what ends while nobody makes any has its place. */
const partitionsAhead = 8

/** So many jobs are moved from the default partition to one that comes late, or deleted from it; more wait, or stay. */
const mostMoved = 10_000

/** So many partitions are dropped by one call, so that no lock is held for long. */
const mostDropped = 3

/** How long one call waits for a lock, and whoever writes to the archive behind it. */
const lockWait = '50ms'

/** Partitions begin at midnight UTC, those of weeks on a Monday: 1970 began three days after one. */
const sinceMonday = 259_200

const day = 86_400

/** The partition for what has no other. */
export const restOf = (table: TableName): string =>
  quotedName({ schema: table.schema, name: ended(archiveName(table), '_default') })

export const keepFunction = (table: TableName): string =>
  quotedName({ schema: table.schema, name: keepArchiveName(table) })

/**
 * The function that makes an archive's partitions and drops old ones, for whoever may call it: a runner, a script, pg_cron. It
 * runs as its owner, as nobody else may do so. Of many calls at a time one does something, the others return null at once;
 * where a lock is not to be had, the next call tries again.
 *
 * A new partition is attached, which stops no write to the others. An old one is emptied first, which needs the lock of that
 * one alone: that of the whole archive may have to wait for a transaction that has just completed a job, and is taken last.
 */
export async function createKeepFunction(db: MigrationDatabase, table: TableName, times: ArchiveTimes): Promise<void> {
  const signature = `${keepFunction(table)}()`
  await execute(
    db,
    `create or replace function ${signature} returns jsonb language plpgsql security definer
    set search_path = pg_catalog, pg_temp set timezone = 'UTC' set datestyle = 'ISO' set lock_timeout = '${lockWait}'
    as ${literal(body(table, times))}`,
  )
  await execute(db, `revoke all on function ${signature} from public`)
}

/** How an archive is kept now; of one that is not there yet nothing. */
export async function keptTimes(db: MigrationDatabase, table: TableName): Promise<Partial<ArchiveTimes>> {
  const [made] = await catalogQuery<{ body: string }>(
    db,
    `select prosrc as body from pg_catalog.pg_proc where oid = pg_catalog.to_regprocedure(${literal(`${keepFunction(table)}()`)})`,
  )
  const lines = (made?.body ?? '').matchAll(
    /^ {2}(every|keep) constant interval := make_interval\(secs => ([\d.]+)\)/gm,
  )
  return Object.fromEntries([...lines].map(([, name, seconds]) => [name, Number(seconds)]))
}

function body(table: TableName, { every, keep }: ArchiveTimes): string {
  const archive = quotedName({ schema: table.schema, name: archiveName(table) })
  const old = 'now() - keep'
  return `
#variable_conflict use_variable
declare
  every constant interval := make_interval(secs => ${every});
  keep constant interval := make_interval(secs => ${keep});
  made text[] := '{}';
  dropped text[] := '{}';
  busy boolean := false;
  secured constant boolean := (select relrowsecurity from pg_class where oid = ${literal(archive)}::regclass);
  misplaced bigint;
  edge timestamptz;
  part record;
begin
  if not pg_try_advisory_xact_lock(hashtextextended(${literal(`kysely-jobs archive ${archive}`)}, 0)) then
    return null;
  end if;${makingPartitions(table, archive, every)}
  delete from ${restOf(table)} where ctid = any(array(
    select ctid from ${restOf(table)} where updated_at < ${old} order by updated_at limit ${mostMoved}));
  select count(*) into misplaced from (select from ${restOf(table)} limit ${mostMoved + 1}) found;
  for part in select p.relation, p.name from (${partitionsOf(archive)}) p where p.till <= ${old} order by p.till limit ${mostDropped} loop
    begin
      execute format('truncate %s', part.relation);
    exception when lock_not_available then
      busy := true;
    end;
    begin
      execute format('drop table %s', part.relation);
      dropped := dropped || part.name;
    exception when lock_not_available then
      busy := true;
      exit;
    end;
  end loop;
  return jsonb_build_object('made', made, 'dropped', dropped, 'busy', busy, 'misplaced', misplaced);
end`
}

/** Where nobody made any for a while, one partition reaches over that time, if it is not too much that has ended meanwhile. */
function makingPartitions(table: TableName, archive: string, every: number): string {
  const start = (time: string) =>
    `to_timestamp(floor((extract(epoch from ${time}) + ${sinceMonday}) / ${every}) * ${every} - ${sinceMonday})`
  const format = every % day === 0 ? 'YYYYMMDD' : 'YYYYMMDD_HH24MI'
  const name = ended(archiveName(table), `_${'0'.repeat(format.length)}`).slice(0, -format.length)
  const rest = restOf(table)
  const [schema, prefix, formatted] = [table.schema, name, archive].map((text) => literal(text))
  return `
  select max(p.till) into edge from (${partitionsOf(archive)}) p;
  if edge is null then
    edge := ${start('now()')};
    execute format('create table %I.%I partition of %s for values from (minvalue) to (%L)', ${schema}, ${prefix} || 'before', ${formatted}, edge);
    if secured then
      execute format('alter table %I.%I enable row level security', ${schema}, ${prefix} || 'before');
    end if;
  end if;
  while edge < ${start('now()')} + every * ${partitionsAhead} loop
    select ${prefix} || to_char(edge, '${format}') as name, greatest(${start('edge')}, ${start('now()')}) + every as till into part;
    select count(*) into misplaced from (
      select from ${rest} where updated_at >= edge and updated_at < part.till limit ${mostMoved + 1}) found;
    if misplaced <= ${mostMoved} then
      begin
        lock table ${rest} in access exclusive mode;
        execute format('create table %I.%I (like %s) with (autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 10000)',
          ${schema}, part.name, ${formatted});
        execute format('with gone as (delete from %s where updated_at >= %L and updated_at < %L returning *) insert into %I.%I select * from gone',
          ${literal(rest)}, edge, part.till, ${schema}, part.name);
        if secured then
          execute format('alter table %I.%I enable row level security', ${schema}, part.name);
        end if;
        execute format('alter table %s attach partition %I.%I for values from (%L) to (%L)',
          ${formatted}, ${schema}, part.name, edge, part.till);
        made := made || part.name;
      exception when lock_not_available then
        busy := true;
        exit;
      end;
    end if;
    edge := part.till;
  end loop;`
}

/** The partitions of an archive but for the default one, and until when what is in them has ended. */
function partitionsOf(archive: string): string {
  return `
    select i.inhrelid::regclass as relation, c.relname as name,
      (regexp_match(pg_get_expr(c.relpartbound, c.oid), 'TO \\(''([^'']+)''\\)'))[1]::timestamptz as till
    from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = ${literal(archive)}::regclass and pg_get_expr(c.relpartbound, c.oid) <> 'DEFAULT'`
}
