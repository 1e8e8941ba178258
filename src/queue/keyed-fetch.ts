import { CompiledQuery, type Expression, type RawBuilder, type SqlBool, sql } from 'kysely'
import { isDue } from '../predicates/claimable.js'
import { earlier, now } from '../predicates/clock.js'
import { column, job } from '../predicates/column.js'
import { committedLater } from '../predicates/commit.js'
import { placeOfClaim } from '../predicates/interruption.js'
import { hasStatus, isRunning } from '../predicates/status.js'
import type { Jobs } from '../schema/job-database.js'
import { own } from '../schema/own-names.js'
import { camelCase } from '../schema/row.js'
import { pendingStatuses } from '../schema/statuses.js'
import { asJsonText, asText, textsOf } from '../schema/text.js'
import { type Claim, isByPriority, type Keyed, waitingJobs } from './claim.js'
import { type ClaimTransaction, inOneMessage } from './claim-transaction.js'
import { compiled, numberPlace, textPlace } from './compiled.js'
import { keysOf, type RowKey } from './fenced.js'
import { claiming, type FetchSettings, inTurn, isPastSeedBackoff } from './fetch.js'
import { isOfKey, keyWalk, type Walk, type Walked, walkedSetting, walkedText } from './key-walk.js'
import { ofLocked, toldOf } from './locked.js'
import { nextDue } from './next-due.js'
import { type Returned, returnedOf } from './returned.js'

/** A claim that goes from key to key. */
export interface KeyedSettings extends FetchSettings {
  readonly keyed: Keyed
}

/** What each run of such a fetch is given. */
export interface KeyedGiven {
  /** The most jobs in all, and of one key. */
  readonly limit: number
  readonly quota: number
  readonly walk: Walk
}

/** A fetch by keys: in a transaction that {@link inClaim} has begun, or sent together with one of its own. */
export type CompiledKeyedFetch = (db: Jobs['db'], given: KeyedGiven, whole?: ClaimTransaction) => Promise<KeyedRows>

export interface KeyedRows {
  readonly rows: object[]
  /** Undefined: no key has pending jobs, or all jobs have one key. */
  readonly walked: Walked | undefined
}

export function compileKeyedFetch(jobs: Jobs, claim: KeyedSettings): CompiledKeyedFetch {
  const claimed = { since: column('locked_at'), by: column('locked_by') } // which the statement has written
  const returned = returnedOf(jobs, { ...claim, claimed })
  const places = { limit: numberPlace(), quota: numberPlace(), most: numberPlace(), ...lastPlaces(claim.keyed) }
  const fetch = compiled<typeof places, object>(jobs, places, ({ limit, quota, most, ...last }) =>
    build(jobs, claim, returned, { limit, quota, walk: { last: Object.values(last), most } }),
  )
  return async (db, { walk, limit, quota }, whole) => {
    const last = Object.fromEntries(Object.keys(lastPlaces(claim.keyed)).map((name, n) => [name, walk.last[n] ?? null]))
    const query = fetch({ limit, quota, most: walk.most, ...last } as typeof places) // a text or null for each place
    const { rows } = await db.executeQuery(whole ? inOneMessage(query, whole, walkQuestion) : query)
    const { bare, told } = withoutWalk(rows)
    const walked = walkedOf(told ?? (await textsOf(db, CompiledQuery.raw(walkQuestion)))[0])
    return { rows: inTurn(returned.rowsOf(bare), isByPriority(claim)), walked }
  }
}

const walkQuestion = `select pg_catalog.textout(${walkedText}) as "${own.walk}"`

/** Rows without the column that says how far the walk has come, and what it says: the same in each. A row of nothing else is no job's. */
function withoutWalk(rows: readonly object[]): { readonly bare: object[]; readonly told: string | undefined } {
  const [first] = rows
  if (first === undefined) return { bare: [], told: undefined }
  const name = Object.hasOwn(first, own.walk) ? own.walk : camelCase(own.walk)
  if (Object.keys(first).length === 1) return { bare: [], told: String(Reflect.get(first, name) ?? '') }
  const bare = rows.map((row) => {
    const { [name]: _, ...columns } = row as Record<string, unknown> // a row has columns
    return columns
  })
  return { bare, told: String(Reflect.get(first, name) ?? '') }
}

function walkedOf(told: string | null | undefined): Walked | undefined {
  if (!told) return undefined
  const [keys, ...last] = JSON.parse(told) as [number, ...string[]] // as the walk says it
  return { keys, last }
}

/** What tells the row that such a fetch would take first; undefined: there is none. In the same transaction. */
export async function firstAllowed(
  jobs: Jobs,
  claim: KeyedSettings,
  given: Omit<KeyedGiven, 'limit'>,
): Promise<RowKey | undefined> {
  const { db, isLocked } = ofAllowed(jobs, claim, { ...given, limit: 1 })
  const [first] = await keysOf(jobs, db.selectFrom(jobs.table).where(isLocked))
  return first
}

/** Whether Postgres takes the statement. @throws what it says */
export async function proveKeyed(jobs: Jobs, claim: Claim & { readonly keyed: Keyed }): Promise<void> {
  const walk = { last: claim.keyed.by.map(() => null), most: 1 }
  const { db, isLocked } = ofAllowed(jobs, { ...claim, worker: '' }, { limit: 0, quota: 0, walk })
  await keysOf(jobs, db.selectFrom(jobs.table).where(isLocked))
}

function lastPlaces({ by }: Keyed): Record<string, string> {
  return Object.fromEntries(by.map((_, n) => [`last${n}`, textPlace()]))
}

function build(jobs: Jobs, claim: KeyedSettings, { isWhole, list }: Returned, given: KeyedGiven) {
  const { db, isLocked } = ofAllowed(jobs, claim, given)
  return db
    .updateTable(jobs.table)
    .set(claiming(claim, placeOfClaim(false)))
    .where(isLocked)
    .where(committedLater())
    .$if(isWhole, (query) => query.returningAll())
    .$if(list.length > 0, (query) => query.returning(list))
    .returning(asText(walkedSetting(), own.walk))
    .compile()
}

/** The jobs of each key that may be taken, until there are enough. */
function ofAllowed(jobs: Jobs, claim: KeyedSettings, { limit, quota, walk }: KeyedGiven) {
  const { keyed } = claim
  const all = roomOf(jobs, keyed.total, limit, job.lit(true))
  if (keyed.by.length === 0) return ofLocked(jobs, lockedOf(jobs, jobsOfKey(jobs, claim, keyed, all)))
  const last = keyed.by.map((_, n) => walk.last[n] ?? null)
  const { name, query } = keyWalk(jobs, claim, keyed, { ...walk, last })
  const db = jobs.db.withRecursive(name as never, () => query as never) as unknown as Jobs['db'] // its other tables are the same
  const due = sql.ref(own.due)
  const room = roomOf(jobs, keyed.max, quota, isOfKey(keyed))
  const ofKey = lockedOf(jobs, jobsOfKey(jobs, claim, keyed, room))
  const picked = sql`(select ${due}.* from ${sql.ref(own.walk)} cross join lateral ${ofKey} as ${due} limit ${all})`
  return ofLocked({ ...jobs, db }, picked as Expression<never>) // what tells them
}

const lockedOf = (jobs: Jobs, rows: ReturnType<typeof jobsOfKey>) => toldOf(jobs, rows).forNoKeyUpdate().skipLocked()

/** The due jobs of one key that may be taken now, in their order. */
function jobsOfKey(jobs: Jobs, claim: Claim, keyed: Keyed, room: RawBuilder<number>) {
  const { retryBackoff } = claim
  const due = waitingJobs(jobs, claim)
    .where(isDue())
    .where(keyed.by.length === 0 ? job.lit(true) : isOfKey(keyed))
    .$if(retryBackoff !== undefined, (query) => query.where(isPastSeedBackoff(retryBackoff)))
  if (keyed.order !== undefined) return due.where(isNextInLine(jobs, keyed, keyed.order)).limit(1)
  return due
    .$if(isByPriority(claim), (query) => query.orderBy('priority', 'desc'))
    .orderBy('run_at')
    .limit(room)
}

/** How many jobs may begin, no more than `most`: whatever runs counts, whoever claimed it. */
function roomOf(jobs: Jobs, max: number | undefined, most: number, isCounted: Expression<SqlBool>): RawBuilder<number> {
  if (max === undefined) return sql`${most}::bigint`
  const running = jobs.db
    .selectFrom(jobs.table)
    .select(job.fn.countAll().as(own.counted))
    .where(isRunning())
    .where(isCounted)
  return sql`least(${most}::bigint, greatest(0, ${max}::bigint - ${running}))`
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

/** What is left after a fetch by keys. */
export interface Left {
  /** Jobs are due. */
  readonly isWaiting: boolean
  /** Milliseconds until a job is due that was not yet when the fetch was sent; undefined: none will be. */
  readonly due: number | undefined
}

/** Asks for that, so many milliseconds after the fetch was sent. */
export type CompiledLeft = (db: Jobs['db'], ago: number) => Promise<Left>

export function compileLeft(jobs: Jobs, claim: Claim): CompiledLeft {
  const text = (due: Expression<number | null>) => job.cast<string | null>(due, 'text')
  const question = compiled(jobs, { ago: numberPlace() }, ({ ago }) => {
    const asked = [text(nextDue(jobs, claim)), text(nextDue(jobs, claim, sql`(${earlier(now(), ago)})`))]
    return jobs.db.selectNoFrom(asJsonText(asked)).compile()
  })
  return async (db, ago) => {
    const [text] = await textsOf(db, question({ ago }))
    const [earliest, next] = JSON.parse(text ?? '') as [string | null, string | null] // just made
    return {
      isWaiting: earliest !== null && Number(earliest) <= 0,
      due: next === null ? undefined : Number(next),
    }
  }
}
