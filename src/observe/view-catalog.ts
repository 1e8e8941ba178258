import { type QueryExecutorProvider, sql } from 'kysely'
import { columnOfIndex } from '../schema/catalog.js'
import { quotedName, type TableName } from '../schema/names.js'
import { asJsonText, textsOf } from '../schema/text.js'

/** What the catalog says of a job table that only its viewers ask. */
export interface Sights {
  readonly columns: readonly ColumnSight[]
  /** Foreign keys of one column, to tables that the role that asks may read. */
  readonly references: readonly ReferenceSight[]
  readonly indexes: readonly IndexSight[]
  readonly archiveIndexes: readonly IndexSight[]
}

interface ColumnSight {
  readonly name: string
  /** pg_type.typcategory of its type, of a domain that of the type under it: `A` array, `E` enum ... */
  readonly category: string
  /** Its values have an order, and so an equality, by operators of pg_catalog. */
  readonly isOrdered: boolean
  /** A domain, whose own conditions a value of the type under it may not meet. */
  readonly isDomain: boolean
  /** pg_attribute.attidentity: `a` always, `d` where no value is given, empty: it is none. */
  readonly identity: string
}

export interface ReferenceSight {
  readonly column: string
  readonly schema: string
  readonly table: string
  /** The column that it points to, and its type in SQL. */
  readonly to: string
  readonly type: string
  /** Columns that may say what a row is, those first that are called as if they did. */
  readonly labels: readonly string[]
  readonly columns: readonly JoinedSight[]
}

/** A column of another table. */
export interface JoinedSight extends ColumnSight {
  /** As people write it. */
  readonly type: string
  /** The type that it stands on, and the schema of that. */
  readonly base: string
  readonly baseSchema: string
  /** The values of an enum, in order; null: it is none. */
  readonly labels: readonly string[] | null
}

/** An index that is valid. */
export interface IndexSight {
  /** Its columns by their names; null: an expression, or a column that stands there in another order than its own, by which nobody sorts. */
  readonly names: readonly (string | null)[]
  /** The first of them as Postgres writes it: `run_at`, `(run_at AT TIME ZONE 'UTC'::text)`. */
  readonly first: string
  readonly predicate: string | null
  readonly isUnique: boolean
}

/** Reads it in one query. */
export async function readSights(
  db: { withoutPlugins(): QueryExecutorProvider },
  table: TableName,
  archive: TableName | undefined,
): Promise<Sights> {
  const oid = sql`pg_catalog.to_regclass(${quotedName(table)})`
  const ofArchive = sql`pg_catalog.to_regclass(${archive === undefined ? null : quotedName(archive)}::text)`
  const asked = [columnsOf(oid), referencesOf(oid), indexesOf(oid), indexesOf(ofArchive)]
  const query = sql`select ${asJsonText(asked)}`
  const [text] = await textsOf(db, query.compile(db.withoutPlugins()))
  const [columns, references, indexes, archiveIndexes] = JSON.parse(text ?? '') as Read // made above
  return { columns, references, indexes, archiveIndexes }
}

type Read = readonly [ColumnSight[], ReferenceSight[], IndexSight[], IndexSight[]]

type Oid = ReturnType<typeof sql>

/** Of an extension's type the operators may stand in a schema that is not searched: then it is compared as a text. */
const columnsOf = (oid: Oid, more = sql``, where = sql`true`) => sql`array(
  select pg_catalog.json_build_object(${more} 'name', a.attname, 'category', b.typcategory, 'isDomain', a.atttypid <> b.oid, 'identity', a.attidentity,
    'isOrdered', b.typtype in ('e', 'r', 'm') or (b.typnamespace = 'pg_catalog'::pg_catalog.regnamespace and exists (
      select from pg_catalog.pg_opclass o join pg_catalog.pg_am m on m.oid = o.opcmethod
      where m.amname = 'btree' and o.opcdefault and o.opcintype = b.oid)))
  from pg_catalog.pg_attribute a
  cross join lateral (
    with recursive chain as (
      select t.* from pg_catalog.pg_type t where t.oid = a.atttypid
      union all select t.* from chain join pg_catalog.pg_type t on t.oid = chain.typbasetype)
    select * from chain where typbasetype = 0) b
  where a.attrelid = ${oid} and a.attnum > 0 and not a.attisdropped and ${where}
  order by a.attnum)`

/** Of the table `r`, those that the role may read, with their types. */
const joined = columnsOf(
  sql`r.oid`,
  sql`'type', pg_catalog.format_type(a.atttypid, a.atttypmod), 'base', b.typname, 'baseSchema', (select n.nspname from pg_catalog.pg_namespace n where n.oid = b.typnamespace),
    'labels', (select pg_catalog.array_agg(e.enumlabel order by e.enumsortorder) from pg_catalog.pg_enum e where e.enumtypid = b.oid),`,
  sql`pg_catalog.has_column_privilege(r.oid, a.attnum, 'SELECT')`,
)

/** Names by which people call a column that says what a row is, the best first. */
const labelNames = ['name', 'title', 'label', 'email', 'slug']

/** Texts that the role may read: those called so, and then those that are unique. */
const labels = sql`array(
  select l.attname from pg_catalog.pg_attribute l join pg_catalog.pg_type t on t.oid = l.atttypid
  cross join lateral (select pg_catalog.array_position(${labelNames}::text[], l.attname::text) as place) n
  where l.attrelid = r.oid and l.attnum > 0 and not l.attisdropped and t.typcategory = 'S'
    and pg_catalog.has_column_privilege(r.oid, l.attnum, 'SELECT') and (n.place is not null or exists (
      select from pg_catalog.pg_index u where u.indrelid = r.oid and u.indisunique and u.indisvalid and u.indpred is null
        and u.indnkeyatts = 1 and u.indkey[0] = l.attnum))
  order by n.place, l.attnum)`

/** Without those that Postgres keeps for each partition of the table that they point to. */
const referencesOf = (oid: Oid) => sql`array(
  select pg_catalog.json_build_object('column', a.attname, 'schema', n.nspname, 'table', r.relname, 'to', p.attname,
    'type', pg_catalog.format('%I.%I', tn.nspname, t.typname), 'labels', ${labels}, 'columns', ${joined})
  from pg_catalog.pg_constraint k
  join pg_catalog.pg_attribute a on a.attrelid = k.conrelid and a.attnum = k.conkey[1]
  join pg_catalog.pg_class r on r.oid = k.confrelid
  join pg_catalog.pg_namespace n on n.oid = r.relnamespace
  join pg_catalog.pg_attribute p on p.attrelid = r.oid and p.attnum = k.confkey[1]
  join pg_catalog.pg_type t on t.oid = p.atttypid
  join pg_catalog.pg_namespace tn on tn.oid = t.typnamespace
  where k.conrelid = ${oid} and k.contype = 'f' and k.conparentid = 0 and pg_catalog.cardinality(k.conkey) = 1
    and pg_catalog.has_schema_privilege(n.oid, 'USAGE') and pg_catalog.has_column_privilege(r.oid, p.attnum, 'SELECT')
  order by k.conkey[1], k.oid)`

const indexesOf = (oid: Oid) => sql`array(
  select pg_catalog.json_build_object('predicate', pg_catalog.pg_get_expr(i.indpred, i.indrelid), 'isUnique', i.indisunique,
    'first', ${columnOfIndex(sql`1`)}, 'names', array(
      select a.attname from pg_catalog.generate_series(1, i.indnkeyatts) n(place)
      left join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[n.place - 1]
        and a.attcollation = i.indcollation[n.place - 1]
        and exists (select from pg_catalog.pg_opclass o where o.oid = i.indclass[n.place - 1] and o.opcdefault)
      order by n.place))
  from pg_catalog.pg_index i join pg_catalog.pg_class c on c.oid = i.indexrelid join pg_catalog.pg_am m on m.oid = c.relam
  where i.indrelid = ${oid} and i.indisvalid and m.amname = 'btree'
  order by i.indexrelid)`
