import { type QueryExecutorProvider, type RawBuilder, sql } from 'kysely'
import { readingCatalog } from './catalog-error.js'
import { archiveComment, archiveName, dueOrder, keepArchiveName, type TableName } from './names.js'
import { type CatalogServer, server } from './server.js'

/** What the catalog says of a table, as far as it matters to jobs. */
export interface Catalog {
  /** pg_class.relkind: `r` table, `p` partitioned table, `v` view ... */
  readonly kind: string
  readonly columns: readonly CatalogColumn[]
  /** The CHECK constraints on `status` alone, also those of its domain, as SQL text. */
  readonly statusChecks: readonly string[]
  readonly indexes: readonly CatalogIndex[]
  /** The names of the triggers that fire. */
  readonly triggers: readonly string[]
  /** Whether the role that asks may delete rows: by a grant and, where row-level security holds for it, by some policy. */
  readonly mayDelete: boolean
  /** It is the archive of a job table. */
  readonly isArchive: boolean
  /** The table of its finished jobs; null: it has none. */
  readonly archive: CatalogArchive | null
  readonly server: CatalogServer
}

export interface CatalogArchive {
  readonly columns: readonly Pick<CatalogColumn, 'name' | 'type' | 'notNull'>[]
  /** Whether the role that asks may put jobs into it, and look for them. */
  readonly mayWrite: boolean
  /** The columns that it may not read. */
  readonly unread: readonly string[]
  /** Whether it may have partitions made and dropped. */
  readonly mayKeep: boolean
}

export interface CatalogColumn {
  readonly name: string
  /** As people write it: `timestamp with time zone`, `character varying(36)`. */
  readonly type: string
  /** The type's name in pg_type; of a domain, that of the type it stands on in the end. */
  readonly base: string
  /** Where that type is defined. */
  readonly baseSchema: string
  /** The most characters a varchar holds; null: as many as there are. */
  readonly length: number | null
  readonly notNull: boolean
  /** The values of an enum, in order; null: it is none. */
  readonly labels: readonly string[] | null
  /** The expression of its default, or by which it is generated; null: it has none. */
  readonly default: string | null
  /** By an expression: it can't be written. */
  readonly generated: boolean
}

export interface CatalogIndex {
  readonly name: string
  /** False for what a failed CREATE INDEX CONCURRENTLY leaves behind. */
  readonly valid: boolean
  readonly primary: boolean
  /** `run_at`, or `priority desc`. */
  readonly columns: readonly string[]
  readonly predicate: string | null
  /** The names of those columns; of an expression none. */
  readonly names: readonly string[]
  /** No two rows have the same values in these columns, ever: it is unique and valid, has no predicate and no nulls, is not deferrable, and no other table inherits from this one. */
  readonly proves: boolean
  /** A row's values in these columns as text, in SQL; in a form that no setting of a session changes. */
  readonly key: string | null
}

/** Whether its rows are in partitions. */
export const isPartitioned = ({ kind }: Pick<Catalog, 'kind'>): boolean => kind === 'p'

/** Reads it in one query; undefined: there is no such table. @throws CatalogError */
export async function readCatalog(db: QueryExecutorProvider, table: TableName): Promise<Catalog | undefined> {
  const { schema, name } = table
  const { rows } = await readingCatalog(db, () =>
    sql<{ catalog: string }>`
    select pg_catalog.textout(pg_catalog.json_build_object(
      'kind', c.relkind, 'columns', ${columns}, 'statusChecks', ${statusChecks}, 'indexes', ${indexes}, 'triggers', ${triggers},
      'mayDelete', ${may('DELETE', 'c')}, 'archive', ${archiveOf(table)}, 'server', ${server},
      'isArchive', coalesce(pg_catalog.obj_description(c.oid, 'pg_class') like ${`${archiveComment} %`}, false)
    )::text) as catalog
    from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where n.nspname = ${schema} and c.relname = ${name}`.execute(db),
  )
  // As a text that no type parser of the user's sees; the query above makes the shape.
  return rows[0] && (JSON.parse(rows[0].catalog) as Catalog)
}

/** A column's type, and where that is a domain the types under it, of which the last is none. */
const chain = sql`with recursive chain as (
  select t.* from pg_catalog.pg_type t where t.oid = a.atttypid
  union all select t.* from chain join pg_catalog.pg_type t on t.oid = chain.typbasetype)`

const columns = sql`array(
  select pg_catalog.json_build_object(
    'name', a.attname,
    'type', pg_catalog.format_type(a.atttypid, a.atttypmod),
    'base', b.typname,
    'baseSchema', bn.nspname,
    'length', case when b.typname = 'varchar' then nullif(greatest(a.atttypmod, d.modifier), -1) - 4 end,
    'notNull', a.attnotnull or d.notnull,
    'generated', a.attgenerated <> '',
    'default', (select pg_catalog.pg_get_expr(f.adbin, c.oid) from pg_catalog.pg_attrdef f where f.adrelid = c.oid and f.adnum = a.attnum),
    'labels', (select pg_catalog.json_agg(e.enumlabel order by e.enumsortorder) from pg_catalog.pg_enum e where e.enumtypid = b.oid)
  )
  from pg_catalog.pg_attribute a
  cross join lateral (
    ${chain} select pg_catalog.max(oid) filter (where typbasetype = 0) as base, pg_catalog.max(typtypmod) as modifier,
      pg_catalog.bool_or(typnotnull) as notnull from chain) d
  join pg_catalog.pg_type b on b.oid = d.base
  join pg_catalog.pg_namespace bn on bn.oid = b.typnamespace
  where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  order by a.attnum
)`

const statusChecks = sql`array(
  select pg_catalog.pg_get_constraintdef(k.oid)
  from pg_catalog.pg_attribute a
  join pg_catalog.pg_constraint k
    on k.contype = 'c' and (k.contypid in (${chain} select oid from chain) or (k.conrelid = c.oid and k.conkey = array[a.attnum]))
  where a.attrelid = c.oid and a.attname = 'status'
)`

/** Each value as its type sends it in binary: so time zone, date style and number of digits have no say. */
const keyColumns = sql`
  select pg_catalog.json_agg(a.attname order by n.place) as names,
    pg_catalog.bool_and(a.attnotnull or t.typnotnull) as filled,
    pg_catalog.string_agg(pg_catalog.format('pg_catalog.encode(%I.%I(%I), ''hex'')', pn.nspname, p.proname, a.attname), ' || '','' || ' order by n.place) as sent
  from pg_catalog.generate_series(1, i.indnkeyatts) n(place)
  join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum = i.indkey[n.place - 1]
  join pg_catalog.pg_type t on t.oid = a.atttypid
  join pg_catalog.pg_proc p on p.oid = t.typsend
  join pg_catalog.pg_namespace pn on pn.oid = p.pronamespace`

/** A column of an index `i`, or its expression. Some servers (15.20) show that of the due index in one more pair of brackets. */
export const columnOfIndex = (place: RawBuilder<unknown>) => sql`
  pg_catalog.replace(pg_catalog.pg_get_indexdef(i.indexrelid, ${place}, true), ${sql.lit(`(${dueOrder})`)}, ${sql.lit(dueOrder)})`

const indexes = sql`array(
  select pg_catalog.json_build_object(
    'name', ic.relname,
    'valid', i.indisvalid,
    'primary', i.indisprimary,
    'columns', (
      select pg_catalog.json_agg(
        ${columnOfIndex(sql`k`)} || case when i.indoption[k - 1] & 1 = 1 then ' desc' else '' end order by k)
      from pg_catalog.generate_series(1, i.indnkeyatts) k),
    'predicate', pg_catalog.pg_get_expr(i.indpred, i.indrelid),
    'names', coalesce(k.names, '[]'),
    'proves', i.indisvalid and i.indisunique and i.indimmediate and i.indpred is null and i.indexprs is null and k.filled and (
      c.relkind = 'p' or not exists (select from pg_catalog.pg_inherits h where h.inhparent = c.oid)),
    'key', k.sent)
  from pg_catalog.pg_index i join pg_catalog.pg_class ic on ic.oid = i.indexrelid cross join lateral (${keyColumns}) k
  where i.indrelid = c.oid
)`

/** Whether the role that asks may do so: by a grant, and where row-level security holds for it by some policy. */
const may = (command: 'DELETE' | 'INSERT' | 'SELECT', table: 'c' | 'r') => {
  const [oid, kind] = [sql.ref(`${table}.oid`), { DELETE: 'd', INSERT: 'a', SELECT: 'r' }[command]]
  return sql`pg_catalog.has_table_privilege(${oid}, ${sql.lit(command)}) and (not pg_catalog.row_security_active(${oid}) or exists (
    select from pg_catalog.pg_policy p where p.polrelid = ${oid} and p.polcmd in (${sql.lit(kind)}, '*') and p.polpermissive and (
      p.polroles = '{0}' or exists (select from pg_catalog.unnest(p.polroles) r where pg_catalog.pg_has_role(r, 'usage')))
  ))`
}

/** A table is an archive of ours when the function is there that keeps it. */
const archiveOf = (table: TableName) => sql`(
  select pg_catalog.json_build_object(
    'columns', (
      select pg_catalog.json_agg(pg_catalog.json_build_object(
        'name', a.attname, 'type', pg_catalog.format_type(a.atttypid, a.atttypmod), 'notNull', a.attnotnull) order by a.attnum)
      from pg_catalog.pg_attribute a where a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped),
    'mayWrite', ${may('INSERT', 'r')} and ${may('SELECT', 'r')},
    'unread', array(
      select a.attname from pg_catalog.pg_attribute a where a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped
        and not pg_catalog.has_column_privilege(r.oid, a.attnum, 'SELECT')),
    'mayKeep', pg_catalog.has_function_privilege(p.oid, 'EXECUTE'))
  from pg_catalog.pg_class r join pg_catalog.pg_proc p on p.pronamespace = r.relnamespace
  where r.relnamespace = c.relnamespace and r.relname = ${archiveName(table)} and r.relkind = 'p'
    and p.proname = ${keepArchiveName(table)} and p.pronargs = 0
)`

const triggers = sql`array(
  select g.tgname from pg_catalog.pg_trigger g
  where g.tgrelid = c.oid and not g.tgisinternal and g.tgenabled in ('O', 'A')
)`
