import { type Expression, type RawBuilder, type SelectQueryBuilder, type SqlBool, sql } from 'kysely'
import { isPending } from '../predicates/status.js'
import type { JobAlias, JobDatabase, Jobs } from '../schema/job-database.js'
import { own } from '../schema/own-names.js'
import type { Claim, Keyed } from './claim.js'

/** From where a walk goes on, and how far. */
export interface Walk {
  /** The key that was visited last, each of its columns as text; null: it begins at the first. */
  readonly last: readonly (string | null)[]
  /** The most keys that it visits. */
  readonly most: number
}

/** How far a walk has come. */
export interface Walked {
  /** How many keys it has visited. */
  readonly keys: number
  readonly last: readonly string[]
}

/** Where a walk says how far it has come: a setting of its transaction. */
const setting = 'kysely_jobs.walk'

export const walkedText = `pg_catalog.current_setting('${setting}', true)`

export const walkedSetting = (): RawBuilder<string | null> => sql.raw(walkedText)

const walk = sql.ref(own.walk)
const partOf = (n: number) => sql.ref(`${own.keyPart}${n}`)
const partOfWalk = (n: number) => sql.ref(`${own.walk}.${own.keyPart}${n}`)
const list = (parts: readonly RawBuilder<unknown>[]) => sql.join(parts)

/** Whether a job is of the key that the walk is at. */
export function isOfKey({ by }: Keyed): RawBuilder<SqlBool> {
  return sql`(${sql.join(
    by.map((column, n) => sql`${sql.ref(column)} = ${partOfWalk(n)}`),
    sql` and `,
  )})`
}

/**
 * A walk along the keys that have pending jobs, in the order of the index: from the one after the last to the end, and from the first
 * to the last. One step along the index for each key, however many jobs it has.
 *
 * @returns a recursive CTE: its name with its columns, and its query
 */
export function keyWalk(jobs: Jobs, claim: Claim, { by }: Keyed, { last, most }: Walk) {
  const parts = by.map((_, n) => partOf(n))
  const lastKey = list(last.map((text) => sql`${text}`))
  const isAfter = (key: RawBuilder<unknown>) => sql<SqlBool>`(${list(by.map((column) => sql.ref(column)))}) > (${key})`
  const told = (place: RawBuilder<unknown>) => {
    const texts = [place, ...by.map((_, n) => sql`step.${partOf(n)}::text`)]
    return sql`pg_catalog.set_config(${sql.lit(setting)}, pg_catalog.json_build_array(${sql.join(texts)})::text, true)`
  }
  const step = (from: RawBuilder<unknown>, mayWrap: RawBuilder<SqlBool>, wrapped: RawBuilder<unknown>) => sql`
    (select ${list(parts)}, ${wrapped} as wrapped from ${nextKey(jobs, claim, by, isAfter(from))} as next
    union all select ${list(parts)}, true from ${nextKey(jobs, claim, by, mayWrap)} as first limit 1)`
  const isAround = sql`${last[0] ?? null}::text is not null and (${list(by.map((_, n) => sql`step.${partOf(n)}`))}) > (${lastKey})`
  const [name, columns] = [own.walk, [...by.map((_, n) => `${own.keyPart}${n}`), 'place', 'wrapped', 'told']]
  const query = sql`(
    select ${list(parts)}, 1, wrapped, ${told(sql`1`)} from ${step(lastKey, sql`true`, sql`false`)} as step
    union all
    select ${list(by.map((_, n) => sql`step.${partOf(n)}`))}, ${walk}.place + 1, step.wrapped, ${told(sql`${walk}.place + 1`)}
    from ${walk} cross join lateral ${step(list(by.map((_, n) => partOfWalk(n))), sql`not ${walk}.wrapped`, sql`${walk}.wrapped`)} as step
    where ${walk}.place < ${most} and not (step.wrapped and ${isAround}))`
  return { name: `${name}(${columns.join(', ')})` as const, query }
}

/** The first key, of those that a condition leaves, that has a pending job. */
function nextKey(jobs: Jobs, { where }: Claim, by: readonly string[], isMeant: Expression<SqlBool>) {
  const table = where === undefined ? jobs.db.selectFrom(jobs.table) : jobs.db.selectFrom(jobs.asJob).where(where)
  const columns = by.map((column, n) => sql.ref(column).as(`${own.keyPart}${n}`))
  const inOrder: SelectQueryBuilder<JobDatabase, JobAlias, object> = table.where(isPending()).where(isMeant)
  return by
    .reduce((query, column) => query.orderBy(sql.ref(column)), inOrder)
    .select(columns)
    .limit(1)
}
