import { type RawBuilder, type SqlBool, sql } from 'kysely'
import { quotedName, type TableName } from '../schema/names.js'
import { own } from '../schema/own-names.js'

/** So many starts in so many milliseconds, in the long run, and no more at once than the burst: a token bucket. */
export interface Rate {
  readonly max: number
  readonly per: number
  readonly burst: number
}

/** Where what is kept of keys stands, by the names that the catalog has: their own limits, and how far their rates are used. */
export interface KeptLimits {
  readonly table: TableName
  readonly of: TableName
  /** The real names of the columns of a key. */
  readonly columns: readonly string[]
}

/** How long (milliseconds) a start takes to be made up for. */
const spacing = ({ max, per }: Rate): number => per / max

const column = (name: 'max' | 'used' | 'wait') => sql.raw<number>(`${own.allowance}.${name}`)

/** What one key is allowed, in a statement that has {@link allowanceOf} it in scope. */
export const allowed = { max: column('max'), used: column('used'), wait: column('wait') }

/** The moment of the claim: after it has waited for its lock, and the same for all keys. */
export const clock = { name: `${own.clock}(now)` as const, query: sql`(select pg_catalog.clock_timestamp())` }
const clockNow = sql<Date>`(select now from ${sql.ref(own.clock)})`

/** A key as it is kept: an object of its columns, each value as a text; of all jobs an empty one. */
export function keptKey({ columns }: KeptLimits, parts: readonly RawBuilder<unknown>[]): RawBuilder<unknown> {
  const pairs = columns.flatMap((name, n) => [sql`${name}::text`, sql`pg_catalog.to_jsonb(${parts[n]}) #>> '{}'`])
  return parts.length === 0 ? sql`'{}'::jsonb` : sql`pg_catalog.jsonb_build_object(${sql.join(pairs)})`
}

/**
 * What is kept of a key, one row: the limit that was set for it (null: none), how many starts of its burst are used, and the milliseconds
 * until the next, where all are. What is used is kept as the time until which it is made up for: one that
 * can't be, as the clock was set back or the rate is another now, lets one start, which is kept by the new clock.
 */
export function allowanceOf(limits: KeptLimits, key: RawBuilder<unknown>, rate: Rate | undefined): RawBuilder<unknown> {
  const kept = sql`kept.job_schema = ${limits.of.schema}::text and kept.job_table = ${limits.of.name}::text and kept.key = ${key}`
  const owed = (rate: Rate) =>
    sql`extract(epoch from nullif(kept.used_until, '-infinity') - ${clockNow})::float8 * ${1000 / spacing(rate)}::float8`
  const used =
    rate &&
    sql`(select case when owed > ${rate.burst + 1}::float8 then ${rate.burst - 1}::float8
      else greatest(0, least(${rate.burst}::float8, owed)) end from (select coalesce(${owed(rate)}, 0) as owed) as kept_used)`
  const wait =
    rate &&
    sql`case when used > ${rate.burst - almostNone}::float8 then (used - ${rate.burst - 1}::float8) * ${spacing(rate)}::float8 end`
  return sql`(select max, used, ${wait ?? sql`null::float8`} as wait from (
    select kept.max, ${used ?? sql`0::float8`} as used from (select 1) as one left join ${tableOf(limits)} as kept on ${kept}) as kept)`
}

/** What a floating-point number that counts starts may lack of a whole one. */
const whole = 1e-6
const almostNone = 1 - whole

/** How many starts of a rate are left. */
export const leftOf = (rate: Rate, used: RawBuilder<number>): RawBuilder<number> =>
  sql`floor(${rate.burst + whole}::float8 - ${used})::bigint`

/**
 * Keeps that jobs were picked: so many more starts are used. A microsecond later than it is, as a timestamp is rounded to one.
 * @param keys the columns of the jobs' keys among what was picked; those of one key are one row
 */
export function spending(
  limits: KeptLimits,
  rate: Rate,
  used: RawBuilder<number>,
  keys: readonly RawBuilder<unknown>[],
): RawBuilder<unknown> {
  const until = sql`${clockNow} + (${used} + count(*)) * ${spacing(rate)}::float8 * interval '1 millisecond' + interval '1 microsecond'`
  const grouped = keys.length === 0 ? sql`having count(*) > 0` : sql`group by ${sql.join([...keys, used])}`
  return sql`(insert into ${tableOf(limits)} (job_schema, job_table, key, used_until)
    select ${limits.of.schema}::text, ${limits.of.name}::text, ${keptKey(limits, keys)}, ${until}
    from ${sql.ref(own.picked)} ${grouped}
    on conflict (job_schema, job_table, key) do update set used_until = excluded.used_until)`
}

/** Whether a row of such a table says nothing any more: it has no limit, and no start is used. */
export const isMadeUpFor = (): RawBuilder<SqlBool> =>
  sql`max is null and used_until < pg_catalog.now() - interval '1 minute'`

const tableOf = ({ table }: KeptLimits) => sql.raw(quotedName(table))
