import { type BackoffRule, backoffDelay, linear } from '../predicates/backoff.js'
import { clockTimestamp, later } from '../predicates/clock.js'
import { column, job } from '../predicates/column.js'
import { keptInterruptions } from '../predicates/interruption.js'
import type { Rows } from '../predicates/rows.js'
import { statusLiteral } from '../predicates/status.js'
import { appendedError, asColumnType, numberFor, parsedJson, textFor } from '../predicates/values.js'
import type { Home } from '../schema/engine.js'
import { type Jobs, jobsOf } from '../schema/job-database.js'
import type { JobTable, OptionalColumn, Queryable } from '../schema/job-table.js'
import type { JobStatus } from '../schema/statuses.js'
import { unlessUndone } from '../schema/undone.js'
import { type Changes, compileFenced, type Fenced, rowsOf, type Write } from './fenced.js'
import { type FinishedRows, fateOf } from './finished.js'
import { type Effect, inGroups, type LeasedOutcome } from './outcome.js'

/** The seed's default: half a minute before each retry. */
export const defaultBackoff: BackoffRule = linear({ delay: '30s' })

export interface SettleOptions<Row> extends FinishedRows {
  /** The uuid of the worker that holds the leases. */
  readonly worker: string
  /** When a retry without a delay of its own is due. Default: 30 s after the failure. */
  readonly backoff?: BackoffRule
  /** The optional columns to write: `result`, `finished_at`, `errors`. */
  readonly columns?: readonly OptionalColumn<Row>[]
  /** The table's key, where `inspectJobTable` tells one; the leases then have theirs too. */
  readonly key?: string | undefined
  /** The table's home, where `inspectJobTable` tells one that is not Postgres. */
  readonly home?: Home | undefined
  /** The table has just the seed's six statuses: a cancelled job is written as failed, "Cancelled: ...". Default false. */
  readonly seedStatuses?: boolean
  /**
   * Pass rows over that somebody else has locked, in place of waiting; they count as not written, and `jobStates` tells
   * that they are still held. For whoever tries again, as the worker does. Default false.
   */
  readonly skipLocked?: boolean
}

/**
 * Writes how attempts ended, fenced: only rows that the worker still holds by the very attempt are written.
 * Outcomes of one kind and attempt number are one statement; several kinds go in one transaction, all or none.
 *
 * @returns the outcomes that were written; the others' leases were lost, and nothing was overwritten.
 * @example
 * await settle(db, 'jobs', [{ id: job.id, attempt: job.attempts_count, kind: 'succeeded' }], { worker })
 */
export async function settle<DB, Table extends keyof DB & string>(
  db: Queryable<DB>,
  table: JobTable<DB, Table>,
  outcomes: readonly LeasedOutcome[],
  options: SettleOptions<DB[Table]>,
): Promise<LeasedOutcome[]> {
  const jobs = jobsOf(db, table, options)
  if ([options.succeeded, options.finished].includes('archive') && options.archive === undefined)
    throw new TypeError(`settle: give the archive of ${table}, which inspectJobTable tells, with 'archive'`)
  return compileSettle(jobs, options)(jobs.db, outcomes)
}

type Group = readonly [LeasedOutcome, ...LeasedOutcome[]]

interface Settings extends Omit<SettleOptions<unknown>, 'columns' | 'key'> {
  readonly columns?: readonly string[]
}

/** A settle as {@link compileSettle} makes it. */
export type CompiledSettle = (db: Jobs['db'], outcomes: readonly LeasedOutcome[]) => Promise<LeasedOutcome[]>

/** The same to be run again and again: what it writes of plain successes, which are nearly all, is built once. */
export function compileSettle(jobs: Jobs, options: Settings): CompiledSettle {
  let succeed: Fenced | undefined
  const settleGroup = (db: Jobs['db'], group: Group): Promise<LeasedOutcome[]> => {
    if (!isPlainSuccess(group, options)) return compileGroup(jobs, group, options)(db, group)
    succeed ??= compileGroup(jobs, group, options)
    return succeed(db, group)
  }
  const settleGroups = async (db: Jobs['db'], groups: readonly Group[]): Promise<LeasedOutcome[]> => {
    const written: LeasedOutcome[] = []
    for (const group of groups) written.push(...(await settleGroup(db, group)))
    for (const { effect } of written) if (effect !== undefined) await effected(effect, db)
    return written
  }
  return async (db, outcomes) => {
    const groups = inGroups(outcomes)
    const isOne = groups.length <= 1 && outcomes.every(({ effect }) => effect === undefined)
    if (isOne || db.isTransaction) return settleGroups(db, groups)
    return unlessUndone(db, () => db.transaction().execute((trx) => settleGroups(trx, groups)))
  }
}

/** The effect of an outcome failed, and the outcome with it. Without the code of its cause: it concerns no other outcome. */
export class EffectError extends Error {
  override readonly name = 'EffectError'
  readonly code = 'EFFECT'
}

async function effected(effect: Effect, trx: Jobs['db']): Promise<void> {
  try {
    await effect(trx)
  } catch (cause) {
    throw new EffectError('What was to be done with the outcome failed', { cause })
  }
}

/** Nothing of the single outcomes is in its statement. */
function isPlainSuccess(group: Group, settings: Settings): boolean {
  const [{ kind, keep }] = group
  if (kind !== 'succeeded' || keep) return false
  return fateOf(kind, settings) === 'delete' || !settings.columns?.includes('result') || group.every(hasNoResult)
}

export function hasNoResult(outcome: LeasedOutcome): boolean {
  return outcome.kind === 'succeeded' && outcome.result === undefined && outcome.json === undefined
}

function compileGroup(jobs: Jobs, group: Group, options: Settings): Fenced {
  return compileFenced(jobs, writeOf(jobs, group, options), options)
}

/** What is done with the rows of a group of outcomes. */
function writeOf(jobs: Jobs, group: Group, options: Settings): Write {
  const [{ kind, keep }] = group
  const fate = keep ? 'keep' : fateOf(kind, options)
  if (fate === 'delete') return fate
  const end = { locked_by: null, updated_at: clockTimestamp() }
  const written = { ...changes(group, rowsOf(jobs, group), options), ...end }
  return fate === 'keep' ? written : { archive: fate, changes: written }
}

/** What a group of outcomes of one kind and attempt writes, beside the end of the lease. */
function changes(group: Group, rows: Rows, options: Settings): Changes {
  const [{ kind, attempt }] = group
  const columns = new Set(options.columns)
  const finish = { ...(columns.has('finished_at') && { finished_at: clockTimestamp() }) }
  const failure = () => {
    const error = textFor(rows, group.map(errorOf))
    return { last_error: error, ...(columns.has('errors') && { errors: appendedError(error) }) }
  }
  const delayed = () => numberFor(rows, group.map(delayOf), noDelay)
  switch (kind) {
    case 'succeeded':
      return success(group, rows, columns)
    case 'retry': {
      const delay = job.fn.coalesce(delayed(), backoffDelay(options.backoff ?? defaultBackoff))
      return { status: status('retry'), run_at: later(clockTimestamp(), delay), ...failure() }
    }
    case 'failed':
    case 'timed_out':
      return { status: status(kind), ...finish, ...failure() }
    case 'snoozed':
      return { ...released(attempt), run_at: later(clockTimestamp(), delayed()) }
    case 'released':
      return { ...released(attempt), locked_at: keptInterruptions() }
    case 'cancelled':
      return {
        status: status(options.seedStatuses ? 'failed' : 'cancelled'),
        ...finish,
        last_error: textFor(rows, group.map(errorOf)),
      }
  }
}

/** What is written of jobs that succeeded. */
export function success(group: readonly LeasedOutcome[], rows: Rows, columns: ReadonlySet<string>): Changes {
  const results = columns.has('result') ? group.map(resultOf) : []
  const write = results.some((result) => result !== noResult)
  return {
    status: status('succeeded'),
    ...(columns.has('finished_at') && { finished_at: clockTimestamp() }),
    ...(write && { result: job.fn.coalesce(returned(rows, results), column('result')) }),
  }
}

/** What the handlers returned, as values of the column's type; null for one that returned nothing: its row keeps what it has. */
function returned(rows: Rows, results: readonly string[]) {
  return asColumnType<unknown>('result', parsedJson(textFor(rows, results, noResult)))
}

/** The state of a row before its claim: the attempt did not count. */
function released(attempt: number): Changes {
  return {
    status: status(attempt <= 1 ? 'not_started' : 'retry'),
    attempts_count: job('attempts_count', '-', 1),
  }
}

function status(name: JobStatus extends `job_status_${infer Name}` ? Name : never) {
  return statusLiteral(`job_status_${name}`)
}

function errorOf(outcome: LeasedOutcome): string {
  if (outcome.kind === 'cancelled') return `Cancelled: ${outcome.reason}`
  return 'error' in outcome ? outcome.error : ''
}

/** What stands for no delay of its own, and for no result, which is no JSON. */
const noDelay = -1
const noResult = ''

function delayOf(outcome: LeasedOutcome): number {
  return 'delay' in outcome ? (outcome.delay ?? noDelay) : noDelay
}

function resultOf(outcome: LeasedOutcome): string {
  if (outcome.kind !== 'succeeded') return noResult
  return outcome.json ?? JSON.stringify(outcome.result) ?? noResult
}
