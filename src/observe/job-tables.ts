import { type Kysely, sql } from 'kysely'
import { jobColumnNames } from '../schema/columns.js'
import { archiveComment, type TableName } from '../schema/names.js'
import { asJsonText, textsOf } from '../schema/text.js'

/** A job table of a database. */
export interface NamedTable extends TableName {
  /** Its name alone means it: its schema is searched, and no table of an earlier one is called so. */
  readonly isFound: boolean
  /** This role may read it as a whole. */
  readonly isReadable: boolean
}

const isReadable = sql`pg_catalog.has_schema_privilege(n.oid, 'usage') and pg_catalog.has_table_privilege(c.oid, 'select')`

/** All job tables of a database, by their nine columns; archives and partitions are none. */
export async function jobTables<DB>(db: Pick<Kysely<DB>, 'withoutPlugins'>): Promise<NamedTable[]> {
  const names = sql.join(jobColumnNames.map((name) => sql.lit(name)))
  const query = sql`
    select ${asJsonText([sql`n.nspname`, sql`c.relname`, sql`pg_catalog.pg_table_is_visible(c.oid)`, isReadable])}
    from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p') and not c.relispartition and c.relpersistence <> 't'
      and n.nspname <> 'information_schema' and n.nspname not like 'pg\\_%'
      and (select pg_catalog.count(*) from pg_catalog.pg_attribute a
        where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attname in (${names})) = ${sql.lit(jobColumnNames.length)}
      and coalesce(pg_catalog.obj_description(c.oid, 'pg_class') not like ${sql.lit(`${archiveComment} %`)}, true)
    order by n.nspname, c.relname`
  const texts = await textsOf(db, query.compile(db.withoutPlugins()))
  return texts.map((text) => {
    const [schema, name, isFound, isReadable] = JSON.parse(text ?? '') as [string, string, boolean, boolean] // just made
    return { schema, name, isFound, isReadable }
  })
}
