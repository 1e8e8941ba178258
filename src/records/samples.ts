import { type Kysely, sql } from 'kysely'
import { countWaiting, type Waiting } from '../queue/waiting.js'
import { readCatalog } from '../schema/catalog.js'
import { type JobDatabase, realJobsOf } from '../schema/job-database.js'
import { readKnownIndexes } from '../schema/known-indexes.js'
import type { TableName } from '../schema/names.js'
import { asJsonText, textsOf } from '../schema/text.js'
import { unlessUndone } from '../schema/undone.js'
import { began, conflict, nameOf, sampleColumns } from './history-table.js'

/** The tables that are this runner's to sample in this minute, and when (milliseconds from now) the next minute begins. */
export interface SampleTurn {
  readonly won: readonly TableName[]
  readonly next: number
}

/** A minute is sampled by whoever first says so in its row. */
export async function takeTurn(
  db: Kysely<JobDatabase>,
  table: TableName,
  tables: readonly TableName[],
): Promise<SampleTurn> {
  const plain = db.withoutPlugins()
  const query = sql`
    with mine as (
      insert into ${nameOf(table)} as kept (job_schema, job_table, step, began_at, sampled_at)
      select schema, name, 'minute', ${began(sql.lit('minute'))}, now()
      from pg_catalog.jsonb_to_recordset(${JSON.stringify(tables)}::jsonb) as given(schema text, name text)
      order by 1, 2
      ${conflict} sampled_at = excluded.sampled_at where kept.sampled_at is null
      returning job_schema as schema, job_table as name)
    select ${asJsonText([
      sql`(select coalesce(pg_catalog.json_agg(mine), '[]') from mine)`,
      sql`60000 - (extract(epoch from now() - ${began(sql.lit('minute'))}) * 1000)::numeric`,
    ])}`
  const [text] = await textsOf(plain, query.compile(plain))
  const [won, next] = JSON.parse(text ?? '') as [TableName[], number] // just made
  return { won, next }
}

/** Looks at a job table; undefined: it is gone, or has no index by which that would be cheap. */
export async function sampleOf(db: Kysely<JobDatabase>, of: TableName): Promise<Waiting | undefined> {
  const catalog = await readCatalog(db.withoutPlugins(), of)
  return catalog && countWaiting(realJobsOf(db, of), await readKnownIndexes(db, of, catalog))
}

/** Writes what was seen to the rows of this minute and this hour, which keep the highest of each. */
export async function writeSample(
  db: Kysely<JobDatabase>,
  table: TableName,
  of: TableName,
  { due, pending, running, oldestWait }: Waiting,
): Promise<void> {
  const plain = db.withoutPlugins()
  const values = [due, pending, running].map((value) => sql`${value}::integer`)
  const highest = sampleColumns.map((name) => sql.raw(`${name} = greatest(kept.${name}, excluded.${name})`))
  const query = sql`
    insert into ${nameOf(table)} as kept (job_schema, job_table, step, began_at, sampled_at, ${sql.raw(sampleColumns.join(', '))})
    select ${of.schema}, ${of.name}, step, ${began(sql`step`)}, now(), ${sql.join([...values, sql`${oldestWait ?? 0}::float8`])}
    from (values ('hour'), ('minute')) as steps(step) order by step
    ${conflict} sampled_at = excluded.sampled_at, ${sql.join(highest)}`
  await unlessUndone(plain, () => plain.executeQuery(query.compile(plain)))
}
