import { type Kysely, sql } from 'kysely'
import { createJobLimits, createJobTable, createKeyIndexes } from 'kysely-jobs/migrate'

/**
 * A job table that watches over what is promised of limits, and what it needs for that: the promise, when jobs of a key began, and
 * the highest limits that `limitJobs` has set since the round began. A claim that breaks the promise is refused, whoever runs at once:
 * claims are looked at one after the other, each when it sees all that were committed before it.
 */
export async function createWatchedJobs(db: Kysely<any>): Promise<void> {
  await createJobTable(
    db,
    'key_jobs',
    (table) =>
      table
        .addColumn('tenant', 'integer', (it) => it.notNull())
        .addColumn('region', 'text', (it) => it.notNull())
        .addColumn('most', 'integer', (it) => it.notNull())
        .addColumn('place', 'integer', (it) => it.notNull())
        .addColumn('own_key', 'jsonb', (it) => it.notNull())
        .addColumn('reopened', 'integer'),
    { notify: 'none' },
  )
  await createKeyIndexes(db, 'key_jobs', ['tenant'], { fifo: 'continue' })
  await createJobLimits(db)
  for (const statement of statements) await sql.raw(statement).execute(db)
}

const statements = [
  `create table promise (max int, total int, is_own bool, line text, burst int, burst_of_all int, per_hour float8, round int)`,
  'create table starts (own_key jsonb, at timestamptz)',
  'create table highest (own_key jsonb primary key, max int)',

  // Since when a job is in its line: a claim does not see what others bring while it is under way.
  `create function note_reopened() returns trigger language plpgsql as $$ begin
    if tg_op = 'INSERT' or (new.status in ('job_status_not_started', 'job_status_retry')
      and old.status not in ('job_status_not_started', 'job_status_retry', 'job_status_running'))
    then new.reopened := (select round from promise); end if;
    return new;
  end $$`,
  'create trigger note_reopened before insert or update on key_jobs for each row execute function note_reopened()',

  `create function note_limit() returns trigger language plpgsql as $$
  declare changed jsonb := case when tg_op = 'DELETE' then old.key else new.key end;
    usual int := (select case when changed = '{}' then total else max end from promise); was int := usual; is_now int := usual;
  begin
    if tg_op <> 'INSERT' then was := old.max; end if;
    if tg_op <> 'DELETE' then is_now := new.max; end if;
    insert into highest values (changed, greatest(was, is_now))
      on conflict (own_key) do update set max = greatest(highest.max, excluded.max);
    return null;
  end $$`,
  `create trigger note_limit after update on job_limits for each row
    when (old.max is distinct from new.max) execute function note_limit()`,
  `create trigger note_new_limit after insert on job_limits for each row when (new.kind = 'limit') execute function note_limit()`,
  `create trigger note_gone_limit after delete on job_limits for each row when (old.kind = 'limit') execute function note_limit()`,

  `create function limit_of(asked jsonb, usual int) returns int language sql as $$
    select case when usual is not null then coalesce((select max from highest where own_key = asked), (select max from job_limits where key = asked and kind = 'limit'), usual) end $$`,

  `create function is_over_rate(asked jsonb, burst int, per_hour float8) returns bool language sql as $$
    select exists (select from starts as first where own_key = asked and burst + 0.05
      + per_hour * extract(epoch from clock_timestamp() - first.at) / 3600
      < (select count(*) from starts where own_key = asked and at >= first.at)) $$`,

  `create function is_out_of_line(asked jsonb, line text, this_round int) returns bool language sql as $$
    select exists (select from key_jobs as runs join key_jobs as earlier using (own_key)
      where own_key = asked and runs.status = 'job_status_running' and earlier.id <> runs.id
      and (earlier.status = 'job_status_running' or (earlier.reopened < this_round
        and (earlier.created_at, earlier.id) < (runs.created_at, runs.id)
        and (earlier.status in ('job_status_not_started', 'job_status_retry')
          or (line = 'block' and earlier.status in ('job_status_failed', 'job_status_timed_out')))))) $$`,

  `create function watch() returns trigger language plpgsql as $$
  declare says promise; started jsonb[]; one jsonb; running int; least int;
  begin
    started := array(select now.own_key from now join before using (id)
      where now.status = 'job_status_running' and before.status <> 'job_status_running');
    if cardinality(started) = 0 then return null; end if;
    perform pg_advisory_xact_lock(1);
    select * into says from promise;
    insert into starts select key, clock_timestamp() from unnest(started || array_fill('"all"'::jsonb, array[cardinality(started)])) key;
    foreach one in array started loop
      select count(*), min(most) into running, least from key_jobs where status = 'job_status_running' and own_key = one;
      if running > limit_of(one, says.max) then raise 'promise: % jobs of % run', running, one; end if;
      if says.is_own and running > least then raise 'promise: % jobs of % run, of which one says %', running, one, least; end if;
      if says.line is not null and is_out_of_line(one, says.line, says.round) then raise 'promise: % is out of line', one; end if;
      if is_over_rate(one, says.burst, says.per_hour) then raise 'promise: % starts too often', one; end if;
    end loop;
    select count(*) into running from key_jobs where status = 'job_status_running';
    if running > limit_of('{}', says.total) then raise 'promise: % jobs run in all', running; end if;
    if is_over_rate('"all"', says.burst_of_all, says.per_hour) then raise 'promise: jobs start too often'; end if;
    return null;
  end $$`,
  `create trigger watch after update on key_jobs referencing old table as before new table as now
    for each statement execute function watch()`,
]
