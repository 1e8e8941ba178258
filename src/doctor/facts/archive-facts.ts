import { sql } from 'kysely'
import { archiveOf, type JobArchive } from '../../schema/archive.js'
import { archiveName, quotedName, type TableName } from '../../schema/names.js'
import { lookedAt } from '../limits.js'
import { type Examined, readJson } from '../read.js'
import type { TableFacts } from './table-facts.js'

/** An archive, and how it is kept. */
export interface ArchiveFacts {
  readonly archive: JobArchive
  /** Whether what ends now has a partition of its own. */
  readonly hasToday: boolean
  /** Seconds until the last partition ends, negative where it has; null: there is none. */
  readonly left: number | null
  /** The partition for what has no other, quoted; null: there is none. */
  readonly rest: string | null
}

/** Its partitions; undefined: the table has no archive. */
export async function readArchive(db: Examined, { table, catalog }: TableFacts): Promise<ArchiveFacts | undefined> {
  const archive = archiveOf(catalog, table)
  if (archive === undefined) return undefined
  const from = sql`from (${partitionsOf({ schema: table.schema, name: archiveName(table) })}) p`
  const [kept] = await readJson<Omit<ArchiveFacts, 'archive'>>(db, keeping, from)
  return { archive, hasToday: false, left: null, rest: null, ...kept }
}

/** How many jobs are in a partition, as far as they are looked at. */
export async function countIn(db: Examined, partition: string): Promise<number> {
  const looked = sql`from (select 1 from ${sql.raw(partition)} limit ${sql.lit(lookedAt)}) looked`
  return (await readJson<number>(db, sql`pg_catalog.count(*)`, looked))[0] ?? 0
}

const keeping = sql`pg_catalog.json_build_object(
  'hasToday', coalesce(pg_catalog.bool_or(coalesce(p.since <= now(), true) and p.till > now()), false),
  'left', extract(epoch from pg_catalog.max(p.till) - now())::float8,
  'rest', pg_catalog.max(p.rest))`

const partitionsOf = (archive: TableName) => sql`
  select (pg_catalog.regexp_match(b.bound, 'FROM \\(''([^'']+)''\\)'))[1]::timestamptz as since,
    (pg_catalog.regexp_match(b.bound, 'TO \\(''([^'']+)''\\)'))[1]::timestamptz as till,
    case when b.bound = 'DEFAULT' then pg_catalog.format('%I.%I', n.nspname, c.relname) end as rest
  from pg_catalog.pg_inherits i join pg_catalog.pg_class c on c.oid = i.inhrelid join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  cross join lateral pg_catalog.pg_get_expr(c.relpartbound, c.oid) b(bound)
  where i.inhparent = ${quotedName(archive)}::pg_catalog.regclass`
