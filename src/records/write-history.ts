import { type Kysely, type RawBuilder, sql } from 'kysely'
import type { JobDatabase } from '../schema/job-database.js'
import type { TableName } from '../schema/names.js'
import { unlessUndone } from '../schema/undone.js'
import { places } from './histogram.js'
import { began, conflict, countColumns, countList, histogramColumns, nameOf } from './history-table.js'
import { counted, type WorkerStats } from './stats.js'

/** What became of the jobs of a table since it was written last. */
export interface WrittenStats {
  readonly of: TableName
  readonly stats: WorkerStats
}

/**
 * Adds what was counted to the rows of this minute and this hour, in one statement. In the order of the primary key, so that runners that write at the
 * same time wait for each other and none in a circle.
 */
export async function writeHistory(
  db: Kysely<JobDatabase>,
  table: TableName,
  written: readonly WrittenStats[],
): Promise<void> {
  const plain = db.withoutPlugins()
  const given = JSON.stringify(written.map(asJson))
  const added = counted
    .map((name) => sql.raw(countColumns[name]))
    .map((name) => sql`${name} = kept.${name} + excluded.${name}`)
  const sums = ['wait_ms', 'duration_ms'].map((name) => sql.raw(`${name} = kept.${name} + excluded.${name}`))
  const query = sql`
    insert into ${nameOf(table)} as kept
      (job_schema, job_table, step, began_at, ${countList}, wait_counts, wait_ms, duration_counts, duration_ms)
    select given.job_schema, given.job_table, steps.step, ${began(sql`steps.step`)}, ${countList},
      wait_counts, wait_ms, duration_counts, duration_ms
    from pg_catalog.jsonb_to_recordset(${given}::jsonb) as given(job_schema text, job_table text, ${countTypes},
      wait_counts integer[], wait_ms float8, duration_counts integer[], duration_ms float8)
    cross join (values ('hour'), ('minute')) as steps(step)
    order by 1, 2, 3, 4
    ${conflict} ${sql.join([...added, ...sums, ...histogramColumns.map(sumOf)])}`
  await unlessUndone(plain, () => plain.executeQuery(query.compile(plain)))
}

const countTypes = sql.raw(counted.map((name) => `${countColumns[name]} bigint`).join(', '))

function asJson({ of, stats }: WrittenStats): object {
  const counts = counted.map((name) => [countColumns[name], stats[name]] as const)
  return {
    ...{ job_schema: of.schema, job_table: of.name, ...Object.fromEntries(counts) },
    ...{ wait_counts: stats.wait.counts, wait_ms: stats.wait.sum },
    ...{ duration_counts: stats.duration.counts, duration_ms: stats.duration.sum },
  }
}

/**
 * Place by place; the empty ones at the end may be missing of either. Without a sub-select, of which Citus lets none stand in an `on conflict`.
 */
function sumOf(column: string): RawBuilder<unknown> {
  const counts = Array.from({ length: places + 1 }, (_, place) => {
    const count = (row: string) => `coalesce(${row}.${column}[${place + 1}], 0)`
    return [count('kept'), count('excluded')].join(' + ')
  })
  const empty = `${places + 1} - greatest(cardinality(kept.${column}), cardinality(excluded.${column}))`
  return sql.raw(`${column} = trim_array(array[${counts.join(', ')}], greatest(0, ${empty}))`)
}

/** So many rows are deleted by one statement. */
const deletedAtOnce = 1_000

/** Rows that are being written or deleted by another are left to it. @param kept for how long (milliseconds) rows of a step are kept */
export async function deleteHistory(
  db: Kysely<JobDatabase>,
  table: TableName,
  kept: { readonly minute: number; readonly hour: number },
): Promise<void> {
  const plain = db.withoutPlugins()
  const isOld = (step: 'minute' | 'hour') =>
    sql`step = ${sql.lit(step)} and began_at < now() - make_interval(secs => ${kept[step] / 1000}::float8)`
  const query = sql`
    delete from ${nameOf(table)} where ctid = any(array(
      select ctid from ${nameOf(table)} where (${isOld('minute')}) or (${isOld('hour')})
      limit ${sql.lit(deletedAtOnce)} for update skip locked))`
  await unlessUndone(plain, () => plain.executeQuery(query.compile(plain)))
}
