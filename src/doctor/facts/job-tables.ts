import { sql } from 'kysely'
import { jobColumnNames } from '../../schema/columns.js'
import { archiveComment, type TableName } from '../../schema/names.js'
import { type Examined, readJson } from '../read.js'

/** All job tables of a database, by their nine columns; archives and partitions are none. */
export function findJobTables(db: Examined): Promise<TableName[]> {
  const names = sql.join(jobColumnNames.map((name) => sql.lit(name)))
  return readJson<TableName>(
    db,
    sql`pg_catalog.json_build_object('schema', n.nspname, 'name', c.relname)`,
    sql`from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p') and not c.relispartition and c.relpersistence <> 't'
      and n.nspname <> 'information_schema' and n.nspname not like 'pg\\_%'
      and (select pg_catalog.count(*) from pg_catalog.pg_attribute a
        where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attname in (${names})) = ${sql.lit(jobColumnNames.length)}
      and coalesce(pg_catalog.obj_description(c.oid, 'pg_class') not like ${sql.lit(`${archiveComment} %`)}, true)
    order by n.nspname, c.relname`,
  )
}
