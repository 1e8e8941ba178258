import { type Expression, type RawBuilder, type SelectQueryBuilder, type SqlBool, sql } from 'kysely'
import { isDue } from '../predicates/claimable.js'
import { isPending } from '../predicates/status.js'
import type { JobAlias, JobDatabase, Jobs } from '../schema/job-database.js'
import { own } from '../schema/own-names.js'
import { allowed } from './allowance.js'
import type { Claim, Keyed } from './claim.js'
import { isNotPaused } from './paused-keys.js'
import type { Spent } from './spending.js'

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

/** What a claim by keys says of itself, beside the jobs that it brings. */
export interface Told {
  /** Undefined: no key has due jobs, or all jobs have one key. */
  readonly walked: Walked | undefined
  /** Milliseconds until the next start of a rate is left, of those of which some were used before; undefined: there are none. */
  readonly wait: number | undefined
  /** What it has used of rates, where that has to be kept yet. */
  readonly spent?: Spent | undefined
}

/** Reads what {@link toldBy} tells. */
export function readTold(text: string): Told {
  const told = JSON.parse(text) as [number | null, [number, number | null, ...string[]] | null, Spent | null] // as the claim says it
  const [waitOfAll, walk, spent] = told
  const [keys = 0, waitOfKey = null, ...last] = walk ?? []
  const waits = [waitOfAll, waitOfKey].filter((wait) => wait !== null)
  return {
    walked: walk === null ? undefined : { keys, last },
    wait: waits.length === 0 ? undefined : Math.min(...waits),
    spent: spent ?? undefined,
  }
}

const nothing = sql`null`

/** What a claim tells of itself, as text. @param wait of all jobs together */
export const toldBy = ({
  wait = nothing,
  walked = nothing,
  spent = nothing,
}: Partial<Record<keyof Told, typeof nothing>>) => sql`pg_catalog.json_build_array(${wait}, ${walked}, ${spent})::text`

/**
 * How far the walk has come: to where the last job was picked, as it stops there; and where there was room for more, to its end. What was picked has
 * the walk's columns too.
 * @param room how many jobs could be picked
 */
export function walkedTo({ by }: Keyed, room: RawBuilder<number>): RawBuilder<unknown> {
  const texts = by.map((_, n) => sql`${partOf(n)}::text`)
  const place = sql`pg_catalog.json_build_array(${sql.join([sql`place`, sql`wait`, ...texts])})`
  const lastOf = (name: string) => sql`(select ${place} from ${sql.ref(name)} order by place desc limit 1)`
  const isFull = sql`(select count(*) from ${sql.ref(own.picked)}) >= ${room}`
  return sql`case when ${isFull} then ${lastOf(own.picked)} else ${lastOf(own.walk)} end`
}

const walk = sql.ref(own.walk)
const partOf = (n: number) => sql.ref(`${own.keyPart}${n}`)
export const partOfWalk = (n: number) => sql.ref(`${own.walk}.${own.keyPart}${n}`)
const list = (parts: readonly RawBuilder<unknown>[]) => sql.join(parts)

/** What the key that the walk is at is allowed, where it was asked for; and where it is, for {@link walkedTo}. */
export const walkColumn = (name: 'max' | 'used' | 'place' | 'wait') => sql.raw<number>(`${own.walk}.${name}`)

/** Whether a job is of the key that the walk is at. */
export function isOfKey({ by }: Keyed): RawBuilder<SqlBool> {
  return sql`(${sql.join(
    by.map((column, n) => sql`${sql.ref(column)} = ${partOfWalk(n)}`),
    sql` and `,
  )})`
}

/** A step reads so many jobs that are not due yet, at most, before it goes to the key that it has come to: literals, for the planner. */
const [stretch, endOfStretch, one] = [sql.lit(200), sql.lit(199), sql.lit(1)]

/** Whether jobs of the key that the walk is at are taken: of keys that are paused none is read. Those of other columns are told job by job. */
export function isWalkedOver({ paused = [] }: Claim, names: readonly string[]): RawBuilder<SqlBool> {
  const ofWalk = paused.filter((key) => Object.keys(key).every((name) => names.includes(name)))
  if (ofWalk.length === 0) return sql`true`
  return isNotPaused(ofWalk, (name) => partOfWalk(names.indexOf(name)))
}

/**
 * A walk along the keys that have due jobs, in the order of the index: from the one after the last to the end, and from the first
 * to the last. One step along the index for each such key, however many jobs it has; jobs that are not due yet are passed over within the
 * index, and where they are very many a key is visited for nothing now and then.
 *
 * @param allowance of a key, from its columns: then the walk has that too
 * @returns a recursive CTE: its name with its columns, and its query
 */
export function keyWalk(
  jobs: Jobs,
  claim: Claim,
  { by }: Keyed,
  { last, most }: Walk,
  allowance?: (key: readonly RawBuilder<unknown>[]) => RawBuilder<unknown>,
) {
  const parts = by.map((_, n) => partOf(n))
  const partsOfStep = by.map((_, n) => sql`step.${partOf(n)}`)
  const lastKey = list(last.map((text) => sql`${text}`))
  const isAfter = (key: RawBuilder<unknown>) => sql<SqlBool>`(${list(by.map((column) => sql.ref(column)))}) > (${key})`
  const step = (from: RawBuilder<unknown>, mayWrap: RawBuilder<SqlBool>, wrapped: RawBuilder<unknown>) => {
    const [onwards, anew] = [nextKeys(jobs, claim, by, isAfter(from)), nextKeys(jobs, claim, by, mayWrap)]
    const found = (key: RawBuilder<unknown>, wrapped: RawBuilder<unknown>) =>
      sql`select ${list(parts)}, ${wrapped} as wrapped from ${key} as next`
    const steps = [...onwards.map((key) => found(key, wrapped)), ...anew.map((key) => found(key, sql`true`))]
    return sql`(${sql.join(steps, sql` union all `)} limit 1) as step${allowance === undefined ? sql`` : sql` cross join lateral ${allowance(partsOfStep)} as ${sql.ref(own.allowance)}`}`
  }
  const visited = (place: RawBuilder<unknown>, wait: RawBuilder<unknown>) => {
    const ofAllowance = allowance === undefined ? [sql`null::float8`] : [wait, allowed.max, allowed.used]
    return list([...partsOfStep, place, sql`step.wrapped`, ...ofAllowance])
  }
  const isAround = sql`${last[0] ?? null}::text is not null and (${list(partsOfStep)}) > (${lastKey})`
  const columns = [...by.map((_, n) => `${own.keyPart}${n}`), 'place', 'wrapped', 'wait']
  const query = sql`(
    select ${visited(sql`1`, allowed.wait)} from ${step(lastKey, sql`true`, sql`false`)}
    union all
    select ${visited(sql`${walk}.place + 1`, sql`least(${walk}.wait, ${allowed.wait})`)}
    from ${walk} cross join lateral ${step(list(by.map((_, n) => partOfWalk(n))), sql`not ${walk}.wrapped`, sql`${walk}.wrapped`)}
    where ${walk}.place < ${most} and not (step.wrapped and ${isAround}))`
  return {
    name: `${own.walk}(${[...columns, ...(allowance === undefined ? [] : ['max', 'used'])].join(', ')})`,
    query,
  }
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
