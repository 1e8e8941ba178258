/** How the server tells the wrapper, past the client, of a table that is distributed: by a message of this severity and code. */
export const tellingCode = 'KJ001'

/**
 * What a database needs in order to pass for one of Citus, as far as anyone asks: its extension in the catalog, the tables and functions
 * by which it is asked where a table is, and by which a table or a schema is distributed. Triggers on such a table are refused by the database itself.
 */
export const citusCatalog = `
set allow_system_table_mods = on;
insert into pg_catalog.pg_extension (oid, extname, extowner, extnamespace, extrelocatable, extversion)
  select 999999, 'citus', 10, 'pg_catalog'::regnamespace, false, '13.2-1'
  where not exists (select from pg_catalog.pg_extension where extname = 'citus');
create table pg_catalog.pg_dist_partition (
  logicalrelid regclass primary key, partmethod "char" not null, partkey text, colocationid int not null, repmodel "char" not null);
create table pg_catalog.pg_dist_shard (logicalrelid regclass not null, shardid bigint generated always as identity);
create table pg_catalog.pg_dist_schema (schemaid oid primary key, colocationid int generated always as identity (start with 100));

create function pg_catalog.column_to_column_name(table_name regclass, column_var_text text) returns text
  language sql stable as 'select column_var_text';

create function pg_catalog.create_distributed_table(table_name regclass, distribution_column text,
    distribution_type text default 'hash', colocate_with text default 'default', shard_count int default 4) returns void
  language plpgsql as $$
declare
  called text := (select relname from pg_catalog.pg_class where oid = table_name);
begin
  if exists (select from pg_catalog.pg_trigger where tgrelid = table_name and not tgisinternal) then
    raise exception using errcode = 'XX000', message = format('cannot distribute relation "%s" because it has triggers', called);
  end if;
  if exists (
    select from pg_catalog.pg_index i where i.indrelid = table_name and i.indisunique and not exists (
      select from pg_catalog.pg_attribute a
      where a.attrelid = table_name and a.attname = distribution_column and a.attnum = any(i.indkey::int2[]))) then
    raise exception using errcode = '0A000', message = format('cannot create constraint on "%s"', called),
      detail = 'Distributed relations cannot have UNIQUE, EXCLUDE, or PRIMARY KEY constraints that do not include the partition column (with an equality operator if EXCLUDE).';
  end if;
  insert into pg_catalog.pg_dist_partition values (table_name, 'h', distribution_column, 1, 's');
  insert into pg_catalog.pg_dist_shard (logicalrelid) select table_name from generate_series(1, coalesce(shard_count, 4));
  perform pg_catalog.citus_tells(table_name, distribution_column);
end $$;

create function pg_catalog.create_reference_table(table_name regclass) returns void language plpgsql as $$
begin
  insert into pg_catalog.pg_dist_partition values (table_name, 'n', null, 2, 't');
  insert into pg_catalog.pg_dist_shard (logicalrelid) values (table_name);
  perform pg_catalog.citus_tells(table_name, null);
end $$;

create function pg_catalog.citus_tells(table_name regclass, distribution_column text) returns void language plpgsql as $$
begin
  raise info using errcode = '${tellingCode}', message = (
    select pg_catalog.json_build_object(
      'table', (select relnamespace::regnamespace || '.' || relname from pg_catalog.pg_class where oid = table_name), 'by', distribution_column,
      'columns', pg_catalog.array_agg(a.attname),
      'filled', coalesce(pg_catalog.bool_or(a.atthasdef) filter (where a.attname = distribution_column), true),
      'unsteady', coalesce(pg_catalog.array_agg(a.attname) filter (where p.provolatile <> 'i'), '{}'),
      'moments', coalesce(pg_catalog.array_agg(a.attname) filter (where t.typname = 'timestamptz'), '{}'))::text
    from pg_catalog.pg_attribute a join pg_catalog.pg_type t on t.oid = a.atttypid join pg_catalog.pg_proc p on p.oid = t.typoutput
    where a.attrelid = table_name and a.attnum > 0);
end $$;

create function pg_catalog.undistribute_table(table_name regclass) returns void language plpgsql as $$
begin
  delete from pg_catalog.pg_dist_partition where logicalrelid = table_name;
  delete from pg_catalog.pg_dist_shard where logicalrelid = table_name;
  raise info using errcode = '${tellingCode}', message = pg_catalog.json_build_object('gone',
    (select relnamespace::regnamespace || '.' || relname from pg_catalog.pg_class where oid = table_name))::text;
end $$;

create function pg_catalog.citus_schema_distribute(schemaname regnamespace) returns void language plpgsql as $$
begin
  insert into pg_catalog.pg_dist_schema (schemaid) values (schemaname);
end $$;

create function pg_catalog.citus_sees_schemas() returns event_trigger language plpgsql as $$
begin
  if coalesce(pg_catalog.current_setting('citus.enable_schema_based_sharding', true), 'off') = 'on' then
    insert into pg_catalog.pg_dist_schema (schemaid) select objid from pg_catalog.pg_event_trigger_ddl_commands();
  end if;
end $$;
create event trigger citus_sees_schemas on ddl_command_end when tag in ('CREATE SCHEMA') execute function pg_catalog.citus_sees_schemas();

create function pg_catalog.citus_sees_tables() returns event_trigger language plpgsql as $$
declare
  made oid;
  colocation int;
begin
  for made, colocation in
    select c.objid, s.colocationid from pg_catalog.pg_event_trigger_ddl_commands() c
    join pg_catalog.pg_class r on r.oid = c.objid and r.relkind in ('r', 'p') join pg_catalog.pg_dist_schema s on s.schemaid = r.relnamespace
    where c.object_type = 'table'
  loop
    insert into pg_catalog.pg_dist_partition values (made, 'n', null, colocation, 's');
    insert into pg_catalog.pg_dist_shard (logicalrelid) values (made);
    perform pg_catalog.citus_tells(made, null);
  end loop;
end $$;
create event trigger citus_sees_tables on ddl_command_end when tag in ('CREATE TABLE') execute function pg_catalog.citus_sees_tables();

-- All shards are the table itself: one has what is in it, and there is nothing in the others.
create function pg_catalog.run_command_on_shards(table_name regclass, command text, parallel boolean default true)
  returns table (shardid bigint, success boolean, result text) language plpgsql as $$
begin
  for shardid in select s.shardid from pg_catalog.pg_dist_shard s where s.logicalrelid = table_name order by 1 limit 1 loop
    success := true;
    execute format(command, table_name) into result;
    return next;
  end loop;
end $$;

create function pg_catalog.citus_refuses_triggers() returns event_trigger language plpgsql as $$
begin
  if exists (
    select from pg_catalog.pg_event_trigger_ddl_commands() c
    join pg_catalog.pg_trigger g on c.classid = 'pg_catalog.pg_trigger'::regclass and g.oid = c.objid
    join pg_catalog.pg_dist_partition p on p.logicalrelid = g.tgrelid) then
    raise exception using errcode = 'XX000', message = 'triggers are not supported on distributed tables';
  end if;
end $$;
create event trigger citus_refuses_triggers on ddl_command_end when tag in ('CREATE TRIGGER')
  execute function pg_catalog.citus_refuses_triggers();
reset allow_system_table_mods`

/** Each table that is made with such a column is distributed by it, with a key that it is part of: as somebody does by hand behind a migration. */
export const distributeAll = (column: string): string => `
create function pg_catalog.citus_distributes() returns event_trigger language plpgsql as $$
declare
  made oid;
  key name;
begin
  for made, key in
    select c.objid, (select k.conname from pg_catalog.pg_constraint k where k.conrelid = c.objid and k.contype = 'p') from pg_catalog.pg_event_trigger_ddl_commands() c
    join pg_catalog.pg_attribute a on a.attrelid = c.objid and a.attname = '${column}'
    where c.object_type = 'table'
  loop
    execute format('alter table %s drop constraint %I, add primary key (${column}, id)', made::regclass, key);
    perform pg_catalog.create_distributed_table(made::regclass, '${column}');
  end loop;
end $$;
create event trigger citus_distributes on ddl_command_end when tag in ('CREATE TABLE') execute function pg_catalog.citus_distributes()`

/** Functions by name, each with the most volatile of its volatilities. */
export const volatilities = `
select p.proname as name, max(case p.provolatile when 'v' then 3 when 's' then 2 else 1 end) as rank
from pg_catalog.pg_proc p group by p.proname`
