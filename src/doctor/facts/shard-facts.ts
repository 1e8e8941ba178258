import { sql } from 'kysely'
import { quotedName, type TableName } from '../../schema/names.js'
import { type Examined, readJson } from '../read.js'

/** What statistics say of rows. */
export interface Figures {
  /** Of so many shards, each of which is vacuumed by itself; left out: it is one table. */
  readonly shards?: number
  readonly live: number
  readonly dead: number
  /** Seconds since it was vacuumed last; null: never, as far as the statistics tell. */
  readonly vacuumed: number | null
  readonly isVacuuming: boolean
  readonly bytes: number
  /** The planner's number of rows, -1: unknown; and how long one is in its own page, null: unknown. */
  readonly rows: number
  readonly width: number | null
}

const vacuumed =
  'greatest(pg_catalog.pg_stat_get_last_vacuum_time(r.oid), pg_catalog.pg_stat_get_last_autovacuum_time(r.oid))'

/** What statistics say of the rows of a table `r` in the schema `rn`: names and values of a JSON object, in SQL. */
export const figures = `
  'live', pg_catalog.pg_stat_get_live_tuples(r.oid), 'dead', pg_catalog.pg_stat_get_dead_tuples(r.oid),
  'vacuumed', extract(epoch from pg_catalog.clock_timestamp() - ${vacuumed})::float8,
  'isVacuuming', exists (select from pg_catalog.pg_stat_progress_vacuum v where v.relid = r.oid),
  'bytes', pg_catalog.pg_relation_size(r.oid), 'rows', r.reltuples::float8::numeric,
  'width', (select pg_catalog.sum(s.avg_width) from pg_catalog.pg_stats s where s.schemaname = rn.nspname and s.tablename = r.relname and not s.inherited)`

/** As a node asks itself of a shard, whose name Citus puts in. */
const ofShard = `
  select pg_catalog.json_build_object(${figures})
  from pg_catalog.pg_class r join pg_catalog.pg_namespace rn on rn.oid = r.relnamespace
  where r.oid = $shard$%s$shard$::pg_catalog.regclass`

/** What the nodes' statistics say of the shards of a table, all together; undefined: no node says anything. */
export async function readShards(db: Examined, table: TableName): Promise<Figures | undefined> {
  const asked = sql`pg_catalog.run_command_on_shards(pg_catalog.to_regclass(${quotedName(table)}), ${ofShard}) s where s.success`
  const shards = await readJson<Figures>(db, sql`s.result`, sql`from ${asked}`)
  return shards.length === 0 ? undefined : { ...shards.reduce(together), shards: shards.length }
}

function together(some: Figures, other: Figures): Figures {
  const isKnown = some.rows >= 0 && other.rows >= 0
  return {
    live: some.live + other.live,
    dead: some.dead + other.dead,
    // The longest ago, and never where one was not.
    vacuumed: some.vacuumed === null || other.vacuumed === null ? null : Math.max(some.vacuumed, other.vacuumed),
    isVacuuming: some.isVacuuming || other.isVacuuming,
    bytes: some.bytes + other.bytes,
    rows: isKnown ? some.rows + other.rows : -1,
    width: some.width === null || other.width === null ? null : Math.max(some.width, other.width),
  }
}
