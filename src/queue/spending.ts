import { type RawBuilder, sql } from 'kysely'
import type { Jobs } from '../schema/job-database.js'
import { own } from '../schema/own-names.js'
import { clockNow, type KeptLimits, keptKey, tableOf } from './allowance.js'

/** So many starts of a key were used before the claim, and by it one more for each of its jobs that are picked. */
export interface Spending {
  readonly used: RawBuilder<number>
  /** The columns of the jobs' keys among what is picked: those of one key are one row. None: all have one. */
  readonly keys: readonly RawBuilder<unknown>[]
}

/** How far a claim has used rates: at what time, in seconds since 1970, and by key. */
export type Spent = readonly [at: number, used: readonly (readonly [key: string, used: number])[] | null]

const columns = sql`(job_schema, job_table, key, kind, used, used_at)`
const upsert = sql`on conflict (job_schema, job_table, key, kind) do update set used = excluded.used, used_at = excluded.used_at`

function usedBy(limits: KeptLimits, { used, keys }: Spending): RawBuilder<unknown> {
  const grouped = keys.length === 0 ? sql`having count(*) > 0` : sql`group by ${sql.join([...keys, used])}`
  return sql`select ${keptKey(limits, keys)} as key, ${used} + count(*) as used from ${sql.ref(own.picked)} ${grouped}`
}

/** Records the starts of the jobs that are picked, within the statement that claims them. */
export function spending(limits: KeptLimits, spent: Spending): RawBuilder<unknown> {
  return sql`(insert into ${tableOf(limits)} ${columns}
    select ${limits.of.schema}::text, ${limits.of.name}::text, key, 'rate', used, ${clockNow} from (${usedBy(limits, spent)}) as spent
    ${upsert})`
}

/** Tells it, as {@link Spent}, to be kept by {@link keepSpent}. */
export function toldSpending(limits: KeptLimits, spent: readonly Spending[]): RawBuilder<unknown> {
  const all = sql.join(
    spent.map((each) => usedBy(limits, each)),
    sql` union all `,
  )
  const list = sql`pg_catalog.json_agg(pg_catalog.json_build_array(key::text, used))`
  return sql`(select pg_catalog.json_build_array(extract(epoch from ${clockNow}), ${list}) from (${all}) as spent)`
}

/** Records them in the transaction of the claim. */
export async function keepSpent(db: Jobs['db'], limits: KeptLimits, [at, used]: Spent): Promise<void> {
  const { schema, name } = limits.of
  const rows = (used ?? []).map(
    ([key, used]) =>
      sql`(${schema}, ${name}, ${key}::jsonb, 'rate', ${used}::float8, pg_catalog.to_timestamp(${at}::float8))`,
  )
  if (rows.length === 0) return
  const plain = db.withoutPlugins()
  const query = sql`insert into ${tableOf(limits)} ${columns} values ${sql.join(rows)} ${upsert}`
  await plain.executeQuery(query.compile(plain))
}
