import { CompiledQuery, type RawBuilder, sql } from 'kysely'
import { nextAttempt } from '../predicates/attempts.js'
import { clockTimestamp, now } from '../predicates/clock.js'
import { column, job } from '../predicates/column.js'
import { claimToken, placeOfClaim } from '../predicates/interruption.js'
import { isAmong, type Rows } from '../predicates/rows.js'
import { statusLiteral } from '../predicates/status.js'
import type { JobId } from '../schema/columns.js'
import type { Jobs } from '../schema/job-database.js'
import { quotedName, type TableName } from '../schema/names.js'
import { camelCase } from '../schema/row.js'
import { asText, textsOf } from '../schema/text.js'
import { levelText } from './aging.js'
import { isByPriority } from './claim.js'
import { compiled } from './compiled.js'
import { dueRows } from './due-rows.js'
import { type Changes, type RowKey, rowsOf } from './fenced.js'
import { claiming, compiledClaim, type FetchSettings, type Given, inTurn, nextByPriority } from './fetch.js'
import { type FinishedRows, fateOf } from './finished.js'
import { ofLocked } from './locked.js'
import { toArchive } from './moved.js'
import type { LeasedOutcome } from './outcome.js'
import { type Returned, returnedOf } from './returned.js'
import { hasNoResult, success } from './settle.js'

/** Not all rows that a transaction holds were written: a trigger or a policy of the user's kept some. */
export class HeldRowsError extends Error {
  override readonly name = 'HeldRowsError'
  readonly code = 'HELD_ROWS'

  constructor(rows: number, written: number) {
    super(`Of ${rows} rows only ${written} were written: a trigger or a policy kept the others, or they were deleted`)
  }
}

/** How a transaction holds its rows. */
interface HoldSettings extends FetchSettings {
  /** They are going to leave the table. */
  readonly deletes: boolean
}

type HoldGiven = Omit<Given, 'place'>

/** A fetch whose claim is the transaction that it runs in, `read committed`: until that ends nobody else has its rows. */
export type CompiledHold = (trx: Jobs['db'], given: HoldGiven) => Promise<object[]>

/** The rows come as their claim would leave them: running, and with their attempt counted. */
export function compileHold(jobs: Jobs, claim: HoldSettings): CompiledHold {
  const by = sql<string>`${claimToken(claim.worker, placeOfClaim(false))}`
  const returned = returnedOf(jobs, { ...claim, claimed: { since: now(), by }, level: levelText(claim) })
  const hold = compiledClaim(jobs, claim, (given) => locking(jobs, claim, returned, by, given))
  return async (trx, given) => {
    const { rows } = await trx.executeQuery(hold({ ...given, place: placeOfClaim(false) }))
    return inTurn(returned.rowsOf(rows), claim)
  }
}

function locking(jobs: Jobs, claim: HoldSettings, returned: Returned, by: RawBuilder<string>, given: HoldGiven) {
  const { limit, since } = given
  const isFromCursor = since && job('run_at', '>=', since.runAt)
  const rows = isByPriority(claim) ? dueByPriority(jobs, claim, given) : dueRows(jobs, claim, limit, isFromCursor)
  const asClaimed = rows
    .$if(returned.isWhole, (query) => query.selectAll())
    .select(returnedAsClaimed(claim, returned, by))
  return (claim.deletes ? asClaimed.forUpdate() : asClaimed.forNoKeyUpdate()).skipLocked().compile()
}

/** What a claim would have written goes in the place of what is there; of two columns of one name the driver keeps the second. */
function returnedAsClaimed({ columns }: HoldSettings, { isWhole, list }: Returned, by: RawBuilder<string>) {
  const written: Readonly<Record<string, RawBuilder<unknown>>> = {
    status: statusLiteral('job_status_running'),
    attempts_count: nextAttempt(),
    locked_at: now(),
    locked_by: by,
    ...(columns.includes('started_at') && { started_at: now() }),
  }
  if (isWhole) return [...Object.entries(written).map(([name, value]) => value.as(name)), ...list]
  return list.map((column) => {
    const { alias } = column
    const [, value] = Object.entries(written).find(([name]) => name === alias || camelCase(name) === alias) ?? []
    return value === undefined || typeof alias !== 'string' ? column : value.as(alias)
  })
}

/** Those that a sub-select has locked, to be locked once more: what is read is as it is by then. */
function dueByPriority(jobs: Jobs, claim: HoldSettings, given: HoldGiven) {
  const { db, isLocked } = ofLocked(jobs, nextByPriority(jobs, claim, given))
  return db.selectFrom(jobs.table).where(isLocked)
}

/** Claims rows that the transaction holds by a lease: from its commit on they are running. @throws HeldRowsError */
export async function claimHeld(
  trx: Jobs['db'],
  jobs: Jobs,
  rows: readonly RowKey[],
  claim: Pick<FetchSettings, 'worker' | 'columns'>,
): Promise<void> {
  if (rows.length === 0) return
  const update = jobs.db.updateTable(jobs.table).set(claiming(claim, placeOfClaim(false)))
  await write(trx, update.where(isAmong(rowsOf(jobs, rows))).compile(), rows.length)
}

/** Writes, by one statement, that jobs whose rows the transaction holds have succeeded, and their attempts with it. */
export type CompiledSuccess = (trx: Jobs['db'], succeeded: readonly LeasedOutcome[]) => Promise<void>

/** @throws HeldRowsError, by what it makes */
export function compileSuccess(jobs: Jobs, columns: readonly string[], finished: FinishedRows): CompiledSuccess {
  const given = new Set(columns)
  const fate = fateOf('succeeded', finished)
  const places: RowPlaces = { ids: [], ...(jobs.key !== undefined && { keys: [] }) }
  const statement = (rows: Rows, outcomes: readonly LeasedOutcome[]) => {
    const deletion = jobs.db.deleteFrom(jobs.table).where(isAmong(rows))
    if (fate === 'delete') return deletion.compile()
    const changes: Changes = {
      ...success(outcomes, rows, given),
      attempts_count: nextAttempt(),
      locked_at: now(),
      locked_by: null,
      updated_at: clockTimestamp(),
      ...(given.has('started_at') && { started_at: now() }),
    }
    if (fate === 'keep') return jobs.db.updateTable(jobs.table).set(changes).where(isAmong(rows)).compile()
    return toArchive(deletion, { archive: fate, changes }, { told: asText(column('id')) }).compile(jobs.db)
  }
  const plain = compiled<RowPlaces, unknown>(jobs, places, ({ ids, keys = [] }) =>
    statement(jobs.key === undefined ? { ids } : { ids, keys: { key: jobs.key, of: keys } }, []),
  )
  return async (trx, succeeded) => {
    if (succeeded.length === 0) return
    const rows = rowsOf(jobs, succeeded)
    const isPlain = !given.has('result') || succeeded.every(hasNoResult)
    const query = isPlain
      ? plain({ ids: rows.ids, ...(rows.keys && { keys: rows.keys.of }) })
      : statement(rows, succeeded)
    await write(trx, query, succeeded.length)
  }
}

interface RowPlaces {
  readonly ids: readonly JobId[]
  readonly keys?: readonly string[]
}

async function write(trx: Jobs['db'], query: CompiledQuery, rows: number): Promise<void> {
  const { numAffectedRows, rows: moved } = await trx.executeQuery(query)
  const written = Number(numAffectedRows ?? moved.length)
  if (written !== rows) throw new HeldRowsError(rows, written)
}

/** How long (milliseconds) a hold waits for a lock: shorter than Postgres' `deadlock_timeout`, as a handler may wait for the hold. */
export const longestLockWait = 100

/** What Postgres says where that was too short. */
export const lockNotAvailable = '55P03'

/**
 * Begins to hold: the server ends the transaction where it says nothing for so many milliseconds. It has the table's lock that its
 * writes need from the beginning, as a lock that is taken later may meet one that waits for it. To explain a write takes it and
 * writes nothing, and asks for no more than the right to write that column, where LOCK TABLE asks for the whole table.
 *
 * @param lockWait how long (milliseconds) its statements wait for a lock; undefined: as the session says
 */
export function openHold(
  trx: Jobs['db'],
  table: TableName,
  { silence, lockWait }: { readonly silence: number; readonly lockWait: number | undefined },
): Promise<unknown> {
  const [limit, name] = [Math.ceil(silence), quotedName(table)]
  return several(trx, [
    ...(lockWait === undefined ? [] : [`set local lock_timeout = ${lockWait}`]),
    `set local idle_in_transaction_session_timeout = ${limit}`,
    `explain update ${name} set updated_at = null where false`,
  ])
}

/** To where {@link backToHeld} goes: a write that was refused costs the transaction no more than that. */
export const markHeld = (trx: Jobs['db']) => several(trx, ['savepoint kysely_jobs_held'])

/** What is written to the jobs comes now. @throws where the transaction has been ended behind our back */
export const markWritten = (trx: Jobs['db']) => several(trx, ['savepoint kysely_jobs_written'])

/** Undoes what the transaction wrote; it holds its rows as before. */
export const backToHeld = (trx: Jobs['db']) => several(trx, ['rollback to kysely_jobs_held'])

/** Has constraints that are deferred refuse now what they would refuse at the commit. */
export const checkHeld = (trx: Jobs['db']) => several(trx, ['set constraints all immediate'])

/** In one message, which statements without parameters may be. */
const several = (trx: Jobs['db'], statements: readonly string[]) =>
  trx.executeQuery(CompiledQuery.raw(statements.join('; ')))

/** Whether a transaction sees what was when it began. */
export async function isSnapshot(trx: Jobs['db']): Promise<boolean> {
  const [isolation] = await textsOf(
    trx,
    CompiledQuery.raw(`select pg_catalog.current_setting('transaction_isolation')`),
  )
  return isolation !== 'read committed'
}
