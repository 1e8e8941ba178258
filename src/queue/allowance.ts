import { type RawBuilder, sql } from 'kysely'
import { clockTimestamp } from '../predicates/clock.js'
import { quotedName, type TableName } from '../schema/names.js'
import { own } from '../schema/own-names.js'
import { textOfKey } from './key-text.js'

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
  /** The columns of a key, by their real names and types. */
  readonly columns: readonly { readonly name: string; readonly type: string }[]
  /** What is used is written by a statement of its own: beside a claim that goes to a node no INSERT can stand. Default false. */
  readonly isApart?: boolean
}

/** How long (milliseconds) a start takes to be made up for. */
export const spacing = ({ max, per }: Rate): number => per / max

const column = (name: 'max' | 'used' | 'wait') => sql.raw<number>(`${own.allowance}.${name}`)

/** What one key is allowed, in a statement that has {@link allowanceOf} it in scope. */
export const allowed = { max: column('max'), used: column('used'), wait: column('wait') }

/** The moment of the claim: after it has waited for its lock, and the same for all keys. */
export const clock = { name: `${own.clock}(now)` as const, query: sql`(select ${clockTimestamp()})` }
export const clockNow = sql<Date>`(select now from ${sql.ref(own.clock)})`

/** A key as it is kept: an object of its columns, each value as a text; of all jobs an empty one. */
export function keptKey({ columns }: KeptLimits, parts: readonly RawBuilder<unknown>[]): RawBuilder<unknown> {
  const pairs = columns.flatMap(({ name, type }, n) => [sql`${name}::text`, textOfKey(parts[n] ?? sql`null`, type)])
  return parts.length === 0 ? sql`'{}'::jsonb` : sql`pg_catalog.jsonb_build_object(${sql.join(pairs)})`
}

/**
 * What is kept of a key, one row: the limit that was set for it (null: none), how many starts of its burst are used, and where any are the
 * milliseconds until one more is left than now. What is used is kept as it was at a time, and made up for by the time since. Where that is
 * ahead, as the clock was set back, one start is let, which is kept by the new clock.
 */
export function allowanceOf(limits: KeptLimits, key: RawBuilder<unknown>, rate: Rate | undefined): RawBuilder<unknown> {
  const kept = (name: string, kind: 'limit' | 'rate') => {
    const row = sql.raw(name)
    return sql`left join ${tableOf(limits)} as ${row} on ${row}.job_schema = ${limits.of.schema}::text
      and ${row}.job_table = ${limits.of.name}::text and ${row}.key = ${key} and ${row}.kind = ${sql.lit(kind)}`
  }
  const rates = rate === undefined ? sql`` : kept('kept', 'rate')
  const used = rate === undefined ? sql`0::float8` : usedOf(rate)
  return sql`(select max, used, ${rate === undefined ? sql`null::float8` : waitOf(rate)} as wait from (
    select own.max, ${used} as used from (select 1) as one ${kept('own', 'limit')} ${rates}) as kept)`
}

function usedOf(rate: Rate): RawBuilder<number> {
  const since = sql`extract(epoch from ${clockNow} - kept.used_at)::float8 * ${1000 / spacing(rate)}::float8`
  return sql`case when kept.used is null then 0
    when kept.used_at > ${clockNow} + interval '1 second' then least(kept.used, ${rate.burst - 1}::float8)
    else greatest(0, kept.used - greatest(0, ${since})) end`
}

/** Until the next start after all that are left. */
function waitOf(rate: Rate): RawBuilder<number> {
  return sql`case when used > 0 then (used + ${leftOf(rate, sql`used`)} - ${rate.burst - 1}::float8) * ${spacing(rate)}::float8 end`
}

/** The most jobs of a key that may run, of all keys, where those that were not set have this limit. */
export const mostOfAnyKey = (limits: KeptLimits | undefined, max: number): RawBuilder<number> =>
  limits === undefined
    ? sql`${max}::bigint`
    : sql`greatest(${max}::bigint, (select max(own.max) from ${tableOf(limits)} as own
        where own.job_schema = ${limits.of.schema}::text and own.job_table = ${limits.of.name}::text and own.kind = 'limit'))`

/** What a floating-point number that counts starts may lack of a whole one. */
const whole = 1e-6

/** How many starts of a rate are left: none where workers of another rate have used more. */
export const leftOf = (rate: Rate, used: RawBuilder<number>): RawBuilder<number> =>
  sql`greatest(0, floor(${rate.burst + whole}::float8 - ${used}))::bigint`

export const tableOf = ({ table }: KeptLimits) => sql.raw(quotedName(table))
