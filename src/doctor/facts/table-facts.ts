import { sql } from 'kysely'
import { type WantedIndex, wantedIndexes } from '../../migrate/job-indexes.js'
import type { ToldTable } from '../../migrate/job-triggers.js'
import { type Catalog, type CatalogIndex, isPartitioned, readCatalog } from '../../schema/catalog.js'
import { jobColumnNames, optionalColumnNames } from '../../schema/columns.js'
import { homeOf, type Placement } from '../../schema/engine.js'
import type { Engine } from '../../schema/engines/engine.js'
import { insertTriggerOf } from '../../schema/engines/lacks.js'
import { insertTriggerName, type TableName, updateTriggerName } from '../../schema/names.js'
import { type Examined, readJson } from '../read.js'
import { type Figures, figures, readShards } from './shard-facts.js'

/** What the catalog and the statistics say of a job table. */
export interface TableFacts extends Details {
  readonly table: TableName
  readonly catalog: Catalog
  /** The indexes that it should have, and the version of the server that would make them. */
  readonly wanted: readonly WantedIndex[]
  readonly version: number
  readonly role: string
  /** What the server can do, for this table, and where it has it. */
  readonly engine: Engine
  readonly placement: Placement
}

/** An index beyond what {@link CatalogIndex} says of it. */
export interface IndexDetails {
  readonly name: string
  readonly isUnique: boolean
  /** A constraint stands on it. */
  readonly isConstraint: boolean
  /** It is being built at this moment. */
  readonly isBuilding: boolean
  /** How often it was read since the statistics began; null: other servers know. */
  readonly scans: number | null
  /** All columns that it has in any way. */
  readonly uses: readonly string[]
}

export interface TriggerDetails {
  readonly name: string
  /** Where it does not fire: the table, or those of its partitions that have a copy of it. */
  readonly offIn: readonly TableName[]
  /** pg_trigger.tgtype, and how many columns of an UPDATE it is about; 0: all. */
  readonly type: number
  readonly columns: number
  readonly newTable: string | null
  readonly definition: string
  readonly body: string
  readonly settings: readonly string[] | null
}

/** A table in which rows are: the job table itself, with all of its shards, or one of its partitions. */
export interface Part extends TableName, Figures {
  /** Each as `fillfactor=85`. */
  readonly options: readonly string[] | null
}

interface Details {
  readonly indexes: readonly IndexDetails[]
  readonly triggers: readonly TriggerDetails[]
  readonly parts: readonly Part[]
  /** Row-level security holds for this role. */
  readonly isSecured: boolean
  readonly mayUseSchema: boolean
  /** The columns that this role may not read, and those of the queue that it may not write. */
  readonly unread: readonly string[]
  readonly unwritten: readonly string[]
  readonly mayInsert: boolean
  /** Sequences behind defaults that it may not use, quoted. */
  readonly sequences: readonly string[]
}

/** Reads both by two statements; undefined: the table is gone. */
export async function readTable(
  db: Examined,
  table: TableName,
  { version, role }: Pick<TableFacts, 'version' | 'role'>,
): Promise<TableFacts | undefined> {
  const catalog = await readCatalog(db, table)
  const from = sql`from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where n.nspname = ${table.schema} and c.relname = ${table.name}`
  const [details] = await readJson<Details>(db, detailsOf(table), from)
  if (catalog === undefined || details === undefined) return undefined
  const hasPriority = catalog.columns.some(({ name }) => name === 'priority')
  const { engine, placement } = await homeOf(db, table, catalog)
  const there = placement.kind === 'local' ? {} : await onNodes(db, table, details)
  const wanted = wantedIndexes(table, hasPriority, engine)
  return { ...details, ...there, table, catalog, version, role, engine, placement, wanted }
}

/** Here is the table without its rows: what there are statistics of is elsewhere. */
async function onNodes(db: Examined, table: TableName, { parts, indexes }: Details): Promise<Partial<Details>> {
  const figures = await readShards(db, table)
  return {
    parts: parts.map((part) => ({ ...part, ...figures })),
    indexes: indexes.map((index) => ({ ...index, scans: null })),
  }
}

/** What a worker writes. */
const written = [...jobColumnNames, ...optionalColumnNames].filter(
  (name) => !['id', 'created_at', 'priority', 'max_attempts'].includes(name),
)

const array = (value: unknown, rest: unknown) => sql`(select coalesce(pg_catalog.json_agg(${value}), '[]') ${rest})`
const attributes = sql`from pg_catalog.pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped`

const indexes = array(
  sql`pg_catalog.json_build_object('name', ic.relname, 'isUnique', i.indisunique,
    'isConstraint', exists (select from pg_catalog.pg_constraint k where k.conindid = i.indexrelid),
    'isBuilding', exists (select from pg_catalog.pg_stat_progress_create_index p
      join pg_catalog.pg_locks l on l.pid = p.pid where l.relation = c.oid and l.granted),
    'scans', pg_catalog.pg_stat_get_numscans(i.indexrelid),
    'uses', ${array(
      sql`distinct a.attname`,
      sql`${attributes} and (a.attnum = any(i.indkey) or exists (
        select from pg_catalog.pg_depend d where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.objid = i.indexrelid
          and d.refobjid = c.oid and d.refobjsubid = a.attnum))`,
    )}) order by ic.relname`,
  sql`from pg_catalog.pg_index i join pg_catalog.pg_class ic on ic.oid = i.indexrelid where i.indrelid = c.oid`,
)

/** What a trigger of each row does in a partitioned table is done by its copies in the partitions. */
const offIn = array(
  sql`pg_catalog.json_build_object('schema', tn.nspname, 'name', t.relname) order by t.relname`,
  sql`from pg_catalog.pg_trigger copy join pg_catalog.pg_class t on t.oid = copy.tgrelid
      join pg_catalog.pg_namespace tn on tn.oid = t.relnamespace
    where copy.tgname = g.tgname and copy.tgenabled not in ('O', 'A') and (copy.oid = g.oid
      and (c.relkind <> 'p' or g.tgtype & 1 = 0) or g.tgtype & 1 = 1 and t.relkind <> 'p'
      and t.oid in (select relid from pg_catalog.pg_partition_tree(c.oid) where relid <> c.oid))`,
)

const triggersOf = (table: TableName) =>
  array(
    sql`pg_catalog.json_build_object('name', g.tgname, 'offIn', ${offIn}, 'type', g.tgtype,
    'columns', coalesce(pg_catalog.array_length(g.tgattr::int2[], 1), 0), 'newTable', g.tgnewtable,
    'definition', pg_catalog.pg_get_triggerdef(g.oid), 'body', f.prosrc, 'settings', f.proconfig)`,
    sql`from pg_catalog.pg_trigger g join pg_catalog.pg_proc f on f.oid = g.tgfoid
    where g.tgrelid = c.oid and g.tgname in (${sql.lit(insertTriggerName(table))}, ${sql.lit(updateTriggerName(table))})`,
  )

/** Those of another server have no rows here. */
const parts = array(
  sql`pg_catalog.json_build_object('schema', rn.nspname, 'name', r.relname, 'options', r.reloptions, ${sql.raw(figures)}) order by r.relname`,
  sql`from pg_catalog.pg_class r join pg_catalog.pg_namespace rn on rn.oid = r.relnamespace
    where r.relkind = 'r' and (r.oid = c.oid or r.oid in (select relid from pg_catalog.pg_partition_tree(c.oid)))`,
)

const sequences = array(
  sql`pg_catalog.format('%I.%I', sn.nspname, s.relname)`,
  sql`from pg_catalog.pg_depend d join pg_catalog.pg_class s on s.oid = d.objid join pg_catalog.pg_namespace sn on sn.oid = s.relnamespace
    where d.refobjid = c.oid and d.deptype = 'a' 
      and case when s.relkind = 'S' then not pg_catalog.has_sequence_privilege(s.oid, 'USAGE') end`,
)

const columnsWithout = (privilege: 'SELECT' | 'UPDATE') =>
  sql`${attributes} and not pg_catalog.has_column_privilege(c.oid, a.attnum, ${sql.lit(privilege)})`

const detailsOf = (table: TableName) => sql`pg_catalog.json_build_object(
  'indexes', ${indexes}, 'triggers', ${triggersOf(table)}, 'parts', ${parts}, 'sequences', ${sequences},
  'isSecured', pg_catalog.row_security_active(c.oid), 'mayUseSchema', pg_catalog.has_schema_privilege(n.oid, 'USAGE'),
  'unread', ${array(sql`a.attname order by a.attnum`, columnsWithout('SELECT'))},
  'unwritten', ${array(sql`a.attname order by a.attnum`, sql`${columnsWithout('UPDATE')} and a.attname in (${sql.join(written.map((each) => sql.lit(each)))})`)},
  'mayInsert', pg_catalog.has_any_column_privilege(c.oid, 'INSERT'))`

/** The table as its triggers see it. */
export const toldOf = ({ table, catalog, engine }: TableFacts): ToldTable => ({
  table,
  form: insertTriggerOf(engine, isPartitioned(catalog)),
})

/** The index of a name, as the catalog has it. */
export function indexOf({ catalog }: TableFacts, name: string): CatalogIndex | undefined {
  return catalog.indexes.find((index) => index.name === name)
}
