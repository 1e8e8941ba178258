import { type Expression, type RawBuilder, type SqlBool, sql } from 'kysely'
import { isDue } from '../predicates/claimable.js'
import { job } from '../predicates/column.js'
import { hasStatus, isRunning } from '../predicates/status.js'
import type { Jobs } from '../schema/job-database.js'
import { own } from '../schema/own-names.js'
import { pendingStatuses } from '../schema/statuses.js'
import { nextByAge } from './aging.js'
import { allowanceOf, clock, keptKey, leftOf } from './allowance.js'
import { agingOf, type Claim, isByPriority, isRated, type Keyed, waitingJobs } from './claim.js'
import { isPastSeedBackoff } from './due-rows.js'
import { isOfKey, isWalkedOver, keyWalk, partOfWalk, toldBy, type Walk, walkColumn, walkedTo } from './key-walk.js'
import { ofLocked, toldOf } from './locked.js'
import { realNames } from './returned.js'
import { type Spending, spending, toldSpending } from './spending.js'

/** What each claim by keys is given. */
export interface KeyedGiven {
  /** The most jobs in all, and of one key. */
  readonly limit: number
  readonly quota: number
  readonly walk: Walk
}

/** What may be taken, by keys. */
export type KeyedClaim = Claim & { readonly keyed: Keyed }
type Part = readonly [name: string, query: RawBuilder<unknown>]

/**
 * The jobs of each key that may be taken, until there are enough; and what the claim tells of itself, as `readTold` reads it.
 * @param isSpent whether they are taken, which their rates have to know
 */
export function ofAllowed(jobs: Jobs, claim: KeyedClaim, given: KeyedGiven, isSpent: boolean) {
  const { keyed } = claim
  const parts: Part[] = []
  if (isRated(keyed)) parts.push([clock.name, clock.query])
  const ofAll = allowanceOfAll(keyed)
  if (ofAll !== undefined) parts.push(ofAll)
  const room = roomOfAll(jobs, keyed, given.limit)
  parts.push([`${own.room}(jobs)`, sql`(select ${room})`])
  const isByKey = keyed.by.length > 0
  if (isByKey) parts.push(walkOf(jobs, claim, given))
  parts.push([own.picked, isByKey ? ofKeys(jobs, claim, given.quota) : sql`(${ofOneKey(jobs, claim)})`])
  const used = isSpent ? usedOfRates(keyed) : { parts: [] }
  parts.push(...used.parts)
  const ofPicked = sql`(select ${toldColumns(jobs)} from ${sql.ref(own.picked)})`
  return {
    ...ofLocked(withParts(jobs, parts), ofPicked as Expression<never>), // they tell them
    told: toldBy({
      ...(ofAll !== undefined && { wait: sql`(select wait from ${sql.ref(own.allowance)})` }),
      ...(isByKey && { walked: walkedTo(keyed, roomLeft) }),
      ...(used.told !== undefined && { spent: used.told }),
    }),
  }
}

const roomLeft = sql<number>`(select jobs from ${sql.ref(own.room)})`

/** What tells a row from all others. */
const toldColumns = ({ key }: Jobs) => (key === undefined ? sql`id` : sql`id, ${sql.ref(own.key)}`)

function withParts(jobs: Jobs, parts: readonly Part[]): Jobs {
  const add = (db: Jobs['db'], [name, query]: Part) =>
    db.withRecursive(name as never, () => query as never) as unknown as Jobs['db'] // its other tables are the same
  return { ...jobs, db: parts.reduce(add, jobs.db) }
}

/** What is kept of all jobs together. */
function allowanceOfAll({ kept, total, totalRate }: Keyed): Part | undefined {
  if (kept === undefined || (total === undefined && totalRate === undefined)) return undefined
  const ofAll = allowanceOf(kept, keptKey(kept, []), totalRate)
  return [`${own.allowance}(max, used, wait)`, sql`(select max, used, wait from ${ofAll} as ofall)`]
}

const ofAll = (name: 'max' | 'used') => sql<number>`(select ${sql.raw(name)} from ${sql.ref(own.allowance)})`

function roomOfAll(jobs: Jobs, { kept, total, totalRate }: Keyed, limit: number): RawBuilder<number> {
  const max = total === undefined || kept === undefined ? total : sql<number>`coalesce(${ofAll('max')}, ${total})`
  const room = roomOf(jobs, max, limit, job.lit(true))
  return totalRate === undefined ? room : sql`least(${room}, ${leftOf(totalRate, ofAll('used'))})`
}

function walkOf(jobs: Jobs, claim: KeyedClaim, { walk }: KeyedGiven): Part {
  const { keyed } = claim
  const { kept, rate, by } = keyed
  const last = by.map((_, n) => walk.last[n] ?? null)
  const needs = kept !== undefined && (rate !== undefined || typeof keyed.max === 'number')
  const allowance = needs
    ? (key: readonly RawBuilder<unknown>[]) => allowanceOf(kept, keptKey(kept, key), rate)
    : undefined
  const { name, query } = keyWalk(jobs, claim, keyed, { ...walk, last }, allowance)
  return [name, query]
}

/** Where all have one key. */
function ofOneKey(jobs: Jobs, claim: KeyedClaim): Expression<unknown> {
  const limit = roomLeft
  const aging = agingOf(claim)
  return aging === undefined ? locked(jobs, jobsOfKey(jobs, claim, limit)) : nextByAge(jobs, claim, aging, { limit })
}

/** From key to key, until there are enough. */
function ofKeys(jobs: Jobs, claim: KeyedClaim, quota: number): RawBuilder<unknown> {
  const { keyed } = claim
  const due = sql.ref(own.due)
  const room = roomOfKey(jobs, claim, quota)
  const ofKey =
    typeof keyed.max === 'object'
      ? withinOwn(jobs, claim, keyed.max.column, room)
      : locked(jobs, jobsOfKey(jobs, claim, room))
  const used = keyed.rate === undefined ? [] : [walkColumn('used')]
  const ofWalk = [...keyed.by.map((_, n) => partOfWalk(n)), walkColumn('place'), walkColumn('wait'), ...used]
  const columns = sql.join([sql`${due}.*`, ...ofWalk])
  const isMeant = isWalkedOver(claim, realNames(jobs, keyed.by))
  return sql`(select ${columns} from ${sql.ref(own.walk)} cross join lateral ${ofKey} as ${due} where ${isMeant} limit ${roomLeft})`
}

/** What the jobs that are picked use of rates: kept by parts of the statement, or told, to be kept by another. */
function usedOfRates({ kept, rate, totalRate, by }: Keyed): { parts: Part[]; told?: RawBuilder<unknown> } {
  if (kept === undefined) return { parts: [] }
  const keys = by.map((_, n) => sql.ref(`${own.keyPart}${n}`))
  const spent: (readonly [name: string, Spending])[] = []
  if (rate !== undefined) spent.push([own.spent, { used: sql`used`, keys }])
  if (totalRate !== undefined) spent.push([own.spentOfAll, { used: ofAll('used'), keys: [] }])
  if (!kept.isApart) return { parts: spent.map(([name, each]) => [name, spending(kept, each)]) }
  const all = spent.map(([, each]) => each)
  return { parts: [], ...(all.length > 0 && { told: toldSpending(kept, all) }) }
}

const locked = (jobs: Jobs, rows: ReturnType<typeof jobsOfKey>) => toldOf(jobs, rows).forNoKeyUpdate().skipLocked()

/** The due jobs of one key that may be taken now, in their order. */
function jobsOfKey(jobs: Jobs, claim: KeyedClaim, room: RawBuilder<number>) {
  const { retryBackoff, keyed } = claim
  const due = waitingJobs(jobs, claim)
    .where(isDue())
    .where(keyed.by.length === 0 ? job.lit(true) : isOfKey(keyed))
    .$if(retryBackoff !== undefined, (query) => query.where(isPastSeedBackoff(retryBackoff)))
  if (keyed.order !== undefined)
    return due.where(isNextInLine(jobs, keyed, keyed.order)).limit(sql<number>`least(1, ${room})`)
  return due
    .$if(isByPriority(claim), (query) => query.orderBy('priority', 'desc'))
    .orderBy('run_at')
    .limit(room)
}

/**
 * Jobs of a key whose limit is a column of theirs: no more of the key run than any of those that run says. The one that is first waits for
 * that, and those behind it wait for it.
 */
function withinOwn(jobs: Jobs, claim: KeyedClaim, column: string, room: RawBuilder<number>): RawBuilder<unknown> {
  const max = sql`${sql.ref(column)}::bigint`
  const first = jobsOfKey(jobs, claim, sql`1`).select(max.as('max'))
  const ofRunning = running(jobs, isOfKey(claim.keyed)).select(sql`min(${max})`.as('least'))
  const [counted, least] = [sql.ref(`running.${own.counted}`), sql`running.least`]
  const most = sql<number>`least(${room}, greatest(0, least((${first}), ${least}) - ${counted}))`
  const taken = locked(jobs, jobsOfKey(jobs, claim, most)).select(max.as('max'))
  const placed = sql`(select taken.*, row_number() over all_before as place, min(max) over all_before as least
    from (${taken}) as taken window all_before as (rows unbounded preceding))`
  return sql`(select ${toldColumns(jobs)} from (${ofRunning}) as running cross join lateral ${placed} as placed where place + ${counted} <= placed.least)`
}

function roomOfKey(jobs: Jobs, { keyed }: KeyedClaim, quota: number): RawBuilder<number> {
  const { kept, rate, max } = keyed
  const own = typeof max === 'number' && kept !== undefined ? sql<number>`coalesce(${walkColumn('max')}, ${max})` : max
  const room = roomOf(jobs, typeof own === 'object' && 'column' in own ? undefined : own, quota, isOfKey(keyed))
  return rate === undefined ? room : sql`least(${room}, ${leftOf(rate, walkColumn('used'))})`
}

/** How many jobs may begin, no more than `most`: whatever runs counts, whoever claimed it. */
function roomOf(
  jobs: Jobs,
  max: number | RawBuilder<number> | undefined,
  most: number,
  isCounted: Expression<SqlBool>,
): RawBuilder<number> {
  if (max === undefined) return sql`${most}::bigint`
  return sql`least(${most}::bigint, greatest(0, ${max}::bigint - ${running(jobs, isCounted)}))`
}

function running(jobs: Jobs, isCounted: Expression<SqlBool>) {
  return jobs.db.selectFrom(jobs.table).select(job.fn.countAll().as(own.counted)).where(isRunning()).where(isCounted)
}

/** Whether a job is the first of its key that has not ended, and none of the key runs. */
function isNextInLine(jobs: Jobs, keyed: Keyed, order: 'continue' | 'block') {
  const holding = [...pendingStatuses, 'job_status_running'] as const
  const ofKey = () => jobs.db.selectFrom(jobs.table).select('id').where(isOfKey(keyed))
  const first = ofKey()
    .where(hasStatus(order === 'block' ? [...holding, 'job_status_failed', 'job_status_timed_out'] : holding))
    .orderBy('created_at')
    .orderBy('id')
    .limit(1)
  return job.and([job('id', '=', first), job.not(job.exists(ofKey().where(isRunning())))])
}
