import { type Expression, type QueryCreator, sql } from 'kysely'
import { earlier, now } from '../predicates/clock.js'
import { column, job } from '../predicates/column.js'
import { committedLater } from '../predicates/commit.js'
import { placeOfClaim } from '../predicates/interruption.js'
import { isElsewhere } from '../schema/engine.js'
import type { JobDatabase, Jobs } from '../schema/job-database.js'
import { own } from '../schema/own-names.js'
import { camelCase, idOf } from '../schema/row.js'
import { asJsonText, asText, textsOf } from '../schema/text.js'
import { unlessUndone } from '../schema/undone.js'
import { levelText } from './aging.js'
import { type KeyedClaim, type KeyedGiven, ofAllowed } from './allowed-jobs.js'
import { type Claim, hasPaused, type Keyed } from './claim.js'
import { type ClaimTransaction, inOneMessage } from './claim-transaction.js'
import { compiled, numberPlace, textPlace } from './compiled.js'
import { keysOf, type RowKey } from './fenced.js'
import { claiming, type FetchSettings, inTurn } from './fetch.js'
import { type Told, toldOf } from './key-walk.js'
import { nextDue } from './next-due.js'
import { type Returned, returnedOf } from './returned.js'
import { keepSpent } from './spending.js'

/** A claim that goes from key to key. */
export type KeyedSettings = FetchSettings & KeyedClaim

/** A fetch by keys: in a transaction that {@link inClaim} has begun, or sent together with one of its own. */
export type CompiledKeyedFetch = (db: Jobs['db'], given: KeyedGiven, whole?: ClaimTransaction) => Promise<KeyedRows>

export interface KeyedRows extends Told {
  readonly rows: object[]
}

export function compileKeyedFetch(jobs: Jobs, claim: KeyedSettings): CompiledKeyedFetch {
  const { kept } = claim.keyed
  const claimed = { since: column('locked_at'), by: column('locked_by') } // which the statement has written
  const returned = returnedOf(jobs, { ...claim, claimed, level: levelText(claim) })
  const places = { limit: numberPlace(), quota: numberPlace(), most: numberPlace(), ...lastPlaces(claim.keyed) }
  const fetch = compiled<typeof places, object>(jobs, places, ({ limit, quota, most, ...last }) =>
    build(jobs, claim, returned, { limit, quota, walk: { last: Object.values(last), most } }),
  )
  return async (db, given, whole) => {
    const { walk, limit, quota } = given
    const last = Object.fromEntries(Object.keys(lastPlaces(claim.keyed)).map((name, n) => [name, walk.last[n] ?? null]))
    const query = fetch({ limit, quota, most: walk.most, ...last } as typeof places) // a text or null for each place
    const sent = whole ? inOneMessage(query, whole) : query
    const { rows } = await unlessUndone(db, () => db.executeQuery(sent))
    const { bare, told } = withoutTold(rows.length > 0 ? rows : await toldAlone(db, jobs, claim, given))
    const ofClaim = toldOf(told)
    if (ofClaim.spent && kept) await keepSpent(db, kept, ofClaim.spent)
    return { rows: inTurn(returned.rowsOf(bare), claim), ...ofClaim }
  }
}

/** Rows without the column that tells of the claim, the same in each; where it brings no job it is all that the one row has. */
function withoutTold(rows: readonly object[]): { readonly bare: object[]; readonly told: string } {
  const [first = {}] = rows
  const name = Object.hasOwn(first, own.walk) ? own.walk : camelCase(own.walk)
  const jobs = (idOf(first) ?? null) === null ? [] : rows
  const bare = jobs.map((row) => {
    const { [name]: _, ...columns } = row as Record<string, unknown> // a row has columns
    return columns
  })
  return { bare, told: String(Reflect.get(first, name)) }
}

/** What tells the row that such a fetch would take first; undefined: there is none. In the same transaction. */
export async function firstAllowed(
  jobs: Jobs,
  claim: KeyedSettings,
  given: Omit<KeyedGiven, 'limit'>,
): Promise<RowKey | undefined> {
  const { db, isLocked } = ofAllowed(jobs, claim, { ...given, limit: 1 }, false)
  const [first] = await keysOf(jobs, db.selectFrom(jobs.table).where(isLocked))
  return first
}

/** Whether Postgres takes the statement. @throws what it says */
export async function proveKeyed(jobs: Jobs, claim: KeyedClaim): Promise<void> {
  const walk = { last: claim.keyed.by.map(() => null), most: 1 }
  const { db, isLocked } = ofAllowed(jobs, claim, { limit: 0, quota: 0, walk }, true)
  await keysOf(jobs, db.selectFrom(jobs.table).where(isLocked))
}

function lastPlaces({ by }: Keyed): Record<string, string> {
  return Object.fromEntries(by.map((_, n) => [`last${n}`, textPlace()]))
}

/** What a claim tells that brought nothing, where it can't say so itself. */
async function toldAlone(db: Jobs['db'], jobs: Jobs, claim: KeyedSettings, given: KeyedGiven): Promise<object[]> {
  const { db: ofClaim, told } = ofAllowed(jobs, claim, given, false)
  const query = ofClaim.selectNoFrom(asText(told, own.walk)).compile()
  return (await unlessUndone(db, () => db.executeQuery<object>(query))).rows
}

/**
 * A claim that always has an answer: the jobs that it brings, each with what it tells of itself, and where there are none that alone. On a node
 * it answers with its jobs, as what stands beside a SELECT may return nothing there that is not in the row.
 */
function build(jobs: Jobs, claim: KeyedSettings, { isWhole, list }: Returned, given: KeyedGiven) {
  const { db, isLocked, told } = ofAllowed(jobs, claim, given, true)
  const claimed = (statement: QueryCreator<JobDatabase>) =>
    statement
      .updateTable(jobs.table)
      .set(claiming(claim, placeOfClaim(false)))
      .where(isLocked)
      .where(committedLater())
      .$if(isWhole, (query) => query.returningAll())
      .$if(list.length > 0, (query) => query.returning(list))
  if (isElsewhere(jobs.home)) return claimed(db).returning(asText(told, own.walk)).compile()
  const ofClaim = sql<object>`(select ${asText(told, own.walk)})`
  return db
    .with(own.claimed, claimed)
    .selectFrom(ofClaim.as(own.all))
    .leftJoin(own.claimed, (join) => join.onTrue())
    .selectAll()
    .compile()
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
    // Beside paused keys it is not asked whether one is due: it may be, and all that are paused would be read.
    const earliest = hasPaused(claim) ? sql`'0'` : text(nextDue(jobs, claim))
    const asked = [earliest, text(nextDue(jobs, claim, sql`(${earlier(now(), ago)})`))]
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
