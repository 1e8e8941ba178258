import { type Kysely, sql } from 'kysely'

/** Everything that a migration can leave behind in a database, as sorted texts. */
export async function leftovers(db: Kysely<any>): Promise<string[]> {
  const { rows } = await sql<{ what: string }>`
    select 'relation ' || c.oid::regclass::text as what from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where n.nspname not in ('pg_catalog', 'information_schema') and n.nspname not like 'pg\\_%'
    union all
    select 'type ' || t.oid::regtype::text from pg_type t join pg_namespace n on n.oid = t.typnamespace
      where n.nspname not in ('pg_catalog', 'information_schema') and n.nspname not like 'pg\\_%'
        and t.typtype in ('e', 'd')
    union all
    select 'row type ' || t.oid::regtype::text from pg_type t join pg_namespace n on n.oid = t.typnamespace
      where n.nspname not in ('pg_catalog', 'information_schema') and n.nspname not like 'pg\\_%'
        and t.typtype not in ('e', 'd')
    union all
    select 'constraint ' || k.conname from pg_constraint k join pg_namespace n on n.oid = k.connamespace
      where n.nspname not in ('pg_catalog', 'information_schema')
    union all
    select 'function ' || p.oid::regprocedure::text from pg_proc p join pg_namespace n on n.oid = p.pronamespace
      where n.nspname not in ('pg_catalog', 'information_schema')
    union all
    select 'trigger ' || tgname from pg_trigger where not tgisinternal
    order by 1`.execute(db)
  return rows.map((row) => row.what)
}

/** The columns of a table, as in `status job_status not null default ...`. */
export async function columnsOf(db: Kysely<any>, table: string): Promise<string[]> {
  const { rows } = await sql<{ text: string }>`
    select concat_ws(' ', a.attname, format_type(a.atttypid, a.atttypmod),
      case when a.attnotnull then 'not null' end,
      'default ' || pg_get_expr(d.adbin, d.adrelid),
      case when a.attidentity <> '' then 'identity' end) as text
    from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
    where a.attrelid = ${table}::regclass and a.attnum > 0 and not a.attisdropped order by a.attnum`.execute(db)
  return rows.map((row) => row.text)
}

/** The definitions of a table's indexes, by name. */
export async function indexesOf(db: Kysely<any>, table: string): Promise<string[]> {
  const { rows } = await sql<{ text: string }>`
    select regexp_replace(pg_get_indexdef(indexrelid), ' ON .* USING', '') as text from pg_index
    where indrelid = ${table}::regclass order by indexrelid::regclass::text`.execute(db)
  return rows.map((row) => row.text)
}
