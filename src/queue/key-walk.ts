import { type Expression, type RawBuilder, type SelectQueryBuilder, type SqlBool, sql } from 'kysely'
import { isDue } from '../predicates/claimable.js'
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

/** A step reads so many jobs that are not due yet, at most, before it goes to the key that it has come to: literals, for the planner. */
const [stretch, endOfStretch, one] = [sql.lit(200), sql.lit(199), sql.lit(1)]

/**
 * A walk along the keys that have due jobs, in the order of the index: from the one after the last to the end, and from the first
 * to the last. One step along the index for each such key, however many jobs it has; jobs that are not due yet are passed over within the
 * index, and where they are very many a key is visited for nothing now and then.
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
  const step = (from: RawBuilder<unknown>, mayWrap: RawBuilder<SqlBool>, wrapped: RawBuilder<unknown>) => {
    const [onwards, anew] = [nextKeys(jobs, claim, by, isAfter(from)), nextKeys(jobs, claim, by, mayWrap)]
    const found = (key: RawBuilder<unknown>, wrapped: RawBuilder<unknown>) =>
      sql`select ${list(parts)}, ${wrapped} as wrapped from ${key} as next`
    const steps = [...onwards.map((key) => found(key, wrapped)), ...anew.map((key) => found(key, sql`true`))]
    return sql`(${sql.join(steps, sql` union all `)} limit 1)`
  }
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

/** Where a step leads, of the keys that are meant: to the first that has a due job; where none is near, to the end of the stretch. */
function nextKeys(jobs: Jobs, { where }: Claim, by: readonly string[], isMeant: Expression<SqlBool>) {
  const parts = by.map((_, n) => partOf(n))
  const columns = by.map((column, n) => sql.ref(column).as(`${own.keyPart}${n}`))
  const keys = (table: SelectQueryBuilder<JobDatabase, JobAlias, object>) =>
    by
      .reduce((query, column) => query.orderBy(sql.ref(column)), table.where(isPending()).where(isMeant))
      .select(columns)
  if (where !== undefined) return [sql`${keys(jobs.db.selectFrom(jobs.asJob).where(where).where(isDue())).limit(one)}`]
  const near = keys(jobs.db.selectFrom(jobs.table)).select('run_at').limit(stretch)
  const far = keys(jobs.db.selectFrom(jobs.table)).offset(endOfStretch).limit(one)
  return [sql`(select ${list(parts)} from ${near} as near where ${isDue('near')} limit 1)`, sql`${far}`]
}
