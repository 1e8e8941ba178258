import { sql } from 'kysely'
import type { Lookup } from '../schema/identify.js'
import { isJobStatus, type JobStatus } from '../schema/statuses.js'

/** What the catalog and the planner's statistics say of a job table. */
export interface TableFacts {
  readonly byPriority: boolean
  /** It has an index of the jobs that failed or timed out, and of no others that have ended. */
  readonly hasFailedIndex: boolean
  /** Jobs by status; undefined where a part of the table was never analysed, or policies hide its statistics. */
  readonly estimates: ReadonlyMap<JobStatus, number> | undefined
  /** The same, of the parts that were. */
  readonly known: ReadonlyMap<JobStatus, number>
  /** Milliseconds since the oldest of these statistics were made; null: not known. */
  readonly age: number | null
}

interface Row {
  readonly rows: number
  readonly age: number | null
  readonly priority: boolean
  readonly predicates: readonly string[]
  /** Pairs of status and share. */
  readonly shares: readonly (readonly [string, number])[] | null
}

/**
 * Reads them in one statement, a row for the table or for each of its partitions.
 * @param table its name in SQL
 */
export async function readTableFacts(db: Lookup, table: string): Promise<TableFacts> {
  const { rows } = await factsOf(table).execute(db.withoutPlugins())
  const all = rows.map(({ facts }) => JSON.parse(facts) as Row) // made by the statement below
  const filled = all.filter(({ rows: count }) => count !== 0)
  const parts = filled.length === 0 ? all : filled
  const isKnown = parts.every(({ rows: count, shares }) => count === 0 || (count > 0 && shares !== null))
  const estimates = new Map<JobStatus, number>()
  for (const { rows: count, shares } of parts) {
    for (const [status, share] of shares ?? []) {
      if (isJobStatus(status)) estimates.set(status, (estimates.get(status) ?? 0) + Math.round(share * count))
    }
  }
  const ages = parts.map(({ age }) => age)
  return {
    byPriority: parts.some(({ priority }) => priority),
    hasFailedIndex: parts.length > 0 && parts.every(({ predicates }) => predicates.some(isOfFailed)),
    estimates: isKnown ? estimates : undefined,
    known: estimates,
    age: ages.reduce((oldest, age) => (oldest === null || age === null ? null : Math.max(oldest, age)), 0),
  }
}

function isOfFailed(predicate: string): boolean {
  const areHeld = predicate.includes(`'job_status_failed'`) && predicate.includes(`'job_status_timed_out'`)
  return areHeld && !/<>|job_status_succeeded/.test(predicate)
}

/**
 * As text, whatever the user's type parsers make of numbers. The statistics are looked up by name: by a join, the server
 * would read those of all tables (140 ms where there are 12,500).
 */
function factsOf(table: string) {
  return sql<{ facts: string }>`
    select pg_catalog.json_build_object(
      'rows', case when c.reltuples < 0 and pg_catalog.pg_relation_size(c.oid) = 0 then 0 else c.reltuples end,
      'age', extract(epoch from pg_catalog.clock_timestamp() - greatest(
        pg_catalog.pg_stat_get_last_analyze_time(c.oid), pg_catalog.pg_stat_get_last_autoanalyze_time(c.oid))) * 1000,
      'priority', exists (select from pg_catalog.pg_attribute a where a.attrelid = c.oid and a.attname = 'priority' and not a.attisdropped),
      'predicates', array(
        select pg_catalog.pg_get_expr(i.indpred, i.indrelid) from pg_catalog.pg_index i
        where i.indrelid = c.oid and i.indisvalid and i.indpred is not null),
      'shares', (
        select pg_catalog.json_agg(pg_catalog.json_build_array(common.status, common.share))
        from pg_catalog.pg_stats s
        cross join rows from (pg_catalog.unnest(s.most_common_vals::text::text[]), pg_catalog.unnest(s.most_common_freqs)) as common(status, share)
        where s.schemaname = n.nspname and s.tablename = c.relname and s.attname = 'status' and not s.inherited)
    )::text as facts
    from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where c.relkind = 'r' and c.oid = any(array(
      select pg_catalog.to_regclass(${table})::pg_catalog.oid
      union all select relid from pg_catalog.pg_partition_tree(pg_catalog.to_regclass(${table}))))`
}
