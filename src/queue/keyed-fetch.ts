import { type CompiledQuery, type Expression, type QueryCreator, type QueryResult, sql, type UnknownRow } from 'kysely'
import { earlier, now } from '../predicates/clock.js'
import { column, job } from '../predicates/column.js'
import { committedLater } from '../predicates/commit.js'
import { placeOfClaim } from '../predicates/interruption.js'
import { isElsewhere } from '../schema/engine.js'
import type { JobDatabase, Jobs } from '../schema/job-database.js'
import { own } from '../schema/own-names.js'
import { asJsonText, asText, textsOf } from '../schema/text.js'
import { unlessUndone } from '../schema/undone.js'
import { levelText } from './aging.js'
import { type KeyedClaim, type KeyedGiven, ofAllowed } from './allowed-jobs.js'
import { type Claim, hasPaused, type Keyed } from './claim.js'
import { type ClaimTransaction, inOneMessage } from './claim-transaction.js'
import { compiled, numberPlace, textPlace } from './compiled.js'
import { keysOf, type RowKey } from './fenced.js'
import { claiming, type FetchSettings, inTurn } from './fetch.js'
import { readTold, type Told } from './key-walk.js'
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
    const { rows, told } = await answerTo(db, whole ? inOneMessage(query, whole) : query)
    const ofClaim = readTold(told ?? (await toldAlone(db, jobs, claim, given)))
    if (ofClaim.spent && kept) await keepSpent(db, kept, ofClaim.spent)
    return { rows: inTurn(returned.rowsOf(rows), claim), ...ofClaim }
  }
}

/** The jobs that a claim brings, as the user's plugins have them; and what it tells of itself, which is none of theirs. */
async function answerTo(
  db: Jobs['db'],
  query: CompiledQuery<object>,
): Promise<{ rows: object[]; told: string | undefined }> {
  const executor = db.getExecutor()
  const answer = await unlessUndone(db, () => executor.withoutPlugins().executeQuery(query))
  const [first = {}] = answer.rows
  const name = Object.keys(first).find((name) => name.toLowerCase() === own.walk) ?? own.walk
  const told = answer.rows.map((row) => Reflect.get(row, name)).find((text) => (text ?? null) !== null)
  const jobs = answer.rows.filter((row) => Reflect.get(row, 'id') !== null) // the one of a claim that brings nothing has none
  let result: QueryResult<UnknownRow> = { ...answer, rows: jobs.map((row) => without(row, name)) }
  for (const plugin of executor.plugins) result = await plugin.transformResult({ result, queryId: query.queryId })
  return { rows: result.rows, told: told === undefined ? undefined : String(told) }
}

function without(row: object, name: string): UnknownRow {
  const { [name]: _, ...columns } = row as UnknownRow // a row has columns
  return columns
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
async function toldAlone(db: Jobs['db'], jobs: Jobs, claim: KeyedSettings, given: KeyedGiven): Promise<string> {
  const { db: ofClaim, told } = ofAllowed(jobs, claim, given, false)
  return (await textsOf(db, ofClaim.selectNoFrom(asText(told, own.walk)).compile()))[0] ?? ''
}

/**
 * A claim that always has an answer: the jobs that it brings, each with what it tells of itself, and where there are none that alone. A node
 * answers with the jobs alone, of which one has what is told: a CTE that writes may return there nothing but columns.
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
  if (isElsewhere(jobs.home)) {
    const isFirst = sql`${column('id')} = (select id from ${sql.ref(own.picked)} limit 1)`
    return claimed(db)
      .returning(asText(sql`case when ${isFirst} then ${told} end`, own.walk))
      .compile()
  }
  const ofClaim = sql<object>`(select ${asText(told, own.walk)})`
  return db
    .with(own.claimed, claimed)
    .selectFrom(ofClaim.as(own.told))
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
