import type { CompiledQuery, Expression, QueryCreator, SelectQueryBuilder, SqlBool, UpdateObject } from 'kysely'
import { column, job } from '../predicates/column.js'
import { committedLater } from '../predicates/commit.js'
import { holdsLease, type Lease } from '../predicates/lease.js'
import { isAmong, keyText, type Rows } from '../predicates/rows.js'
import type { JobId } from '../schema/columns.js'
import type { JobAlias, JobDatabase, Jobs } from '../schema/job-database.js'
import { asJsonText, asText, textsOf, valuesOf } from '../schema/text.js'
import { byValue } from './by-value.js'
import { compiled, numberPlace } from './compiled.js'
import { idText } from './id-text.js'
import { ofLocked, toldRows } from './locked.js'
import { type Moved, toArchive } from './moved.js'
import { prepared } from './prepared.js'

/** To write no more than so many rows takes no longer than to plan it. */
const fewEntries = 10

/** What a statement writes to rows. */
export type Changes = UpdateObject<JobDatabase, JobAlias>

/** What a statement does with rows: it changes them, deletes them, or moves them to the archive. */
export type Write = Changes | 'delete' | Moved

/** A fenced statement, to be run for any leases of one attempt number. @returns the entries whose row was written, deleted or moved */
export type Fenced = <Entry extends Lease>(db: Jobs['db'], entries: readonly Entry[]) => Promise<Entry[]>

/** What each run of a fenced statement is given. */
interface Places {
  readonly ids: readonly JobId[]
  readonly keys?: readonly string[]
  readonly attempt: number
}

interface Fence {
  readonly worker: string
  /** Pass rows over that somebody else has locked, so that one does not hold up the others. Default false. */
  readonly skipLocked?: boolean | undefined
  /** A crash of the server may forget it: outside of a user's transaction its commit waits for no disk. Default false. */
  readonly mayBeForgotten?: boolean | undefined
}

/** What tells a row from all others. */
export type RowKey = Pick<Lease, 'id' | 'key'>

/** Some rows, or all but some. */
export interface Choice {
  readonly only?: readonly RowKey[] | undefined
  readonly except?: readonly RowKey[] | undefined
}

type Selecting<Selected> = SelectQueryBuilder<JobDatabase, JobAlias, Selected>

/** Narrows a query to rows that are chosen. */
export function chosen<Selected>(jobs: Jobs, rows: Selecting<Selected>, choice: Choice): Selecting<Selected> {
  const { only, except = [] } = choice
  const some = only === undefined ? rows : rows.where(isAmong(rowsOf(jobs, only)))
  return except.length === 0 ? some : some.where(job.not(isAmong(rowsOf(jobs, except))))
}

/** What tells the rows of a query: as text, past the user's type parsers, as it comes back as parameters. */
export async function keysOf<Selected>(jobs: Jobs, rows: Selecting<Selected>): Promise<RowKey[]> {
  const values = [job.cast<string>(column('id'), 'text'), ...(jobs.rowKey === undefined ? [] : [keyText(jobs.rowKey)])]
  return (await textsOf(jobs.db, rows.select(asJsonText(values)).compile())).map((text) => {
    const [id, key] = JSON.parse(text ?? '') as [id: string, key?: string] // made above
    return { id, key }
  })
}

/** The rows of leases. */
export function rowsOf({ key }: Jobs, leases: readonly RowKey[]): Rows {
  return rows(
    key,
    leases.map(({ id }) => id),
    key === undefined ? [] : leases.map((lease) => lease.key ?? ''),
  )
}

function rows(key: string | undefined, ids: readonly JobId[], keys: readonly string[]): Rows {
  return { ids, ...(key !== undefined && { keys: { key, of: keys } }) }
}

/**
 * Writes to the rows of leases that the worker still holds, deletes or moves them. This is the only way in which settle,
 * heartbeat and release touch a row.
 */
export function compileFenced(jobs: Jobs, write: Write, fence: Fence): Fenced {
  if (jobs.distributedBy === undefined) return compileOfOneNode(jobs, write, fence)
  return async (db, entries) => {
    const written: (typeof entries)[number][] = []
    const failures: unknown[] = []
    for (const [ofValue, some] of byValue(jobs, entries)) {
      try {
        written.push(...(await compileOfOneNode(ofValue, write, fence)(db, some)))
      } catch (error) {
        if (db.isTransaction) throw error
        failures.push(error) // the rows of other nodes are written all the same
      }
    }
    if (failures.length > 0) throw failures[0]
    return written
  }
}

function compileOfOneNode(
  jobs: Jobs,
  write: Write,
  { worker, skipLocked = false, mayBeForgotten = false }: Fence,
): Fenced {
  const places: Places = { ids: [], attempt: numberPlace(), ...(jobs.key !== undefined && { keys: [] }) }
  const statement = compiled(jobs, places, ({ ids, attempt, keys = [] }) => {
    const fence = holdsLease({ worker, attempt, ...rows(jobs.key, ids, keys) })
    const isLater = mayBeForgotten && !jobs.db.isTransaction
    return writing(jobs, write, isLater ? job.and([fence, committedLater()]) : fence, skipLocked)
  })
  const writtenOf: Fenced = async (db, entries) => {
    const [first] = entries
    if (first === undefined) return []
    const { ids, keys } = rowsOf(jobs, entries)
    const query = statement({ ids, attempt: first.attempt, ...(keys && { keys: keys.of }) })
    const isPrepared = skipLocked && entries.length <= fewEntries
    return among(entries, await valuesOf(db, isPrepared ? prepared(jobs, query) : query), false)
  }
  if (jobs.key === undefined) return writtenOf
  // By the id: of a table that is partitioned by `run_at` a retry comes back with another key.
  return async (db, entries) => {
    const written: (typeof entries)[number][] = []
    for (const some of oncePerId(entries)) written.push(...(await writtenOf(db, some)))
    return written
  }
}

/** In rounds, in each of which an id is there once. */
function oncePerId<Entry extends RowKey>(entries: readonly Entry[]): Entry[][] {
  const rounds: Entry[][] = []
  const counts = new Map<string, number>()
  for (const entry of entries) {
    const id = idText(entry.id)
    const count = counts.get(id) ?? 0
    counts.set(id, count + 1)
    const round = rounds[count]
    if (round === undefined) rounds.push([entry])
    else round.push(entry)
  }
  return rounds
}

function writing(jobs: Jobs, write: Write, fence: Expression<SqlBool>, skipLocked: boolean): CompiledQuery {
  const held = toldRows(jobs).where(fence)
  const lock = leavesTable(write) ? held.forUpdate() : held.forNoKeyUpdate()
  const { db, isLocked } = skipLocked ? ofLocked(jobs, lock.skipLocked()) : { db: jobs.db, isLocked: fence }
  return writingTo(jobs, write, { db, isLocked })
}

/** Writes to rows, and tells them by their id as text. */
function writingTo(
  jobs: Jobs,
  write: Write,
  { db, isLocked }: { readonly db: QueryCreator<JobDatabase>; readonly isLocked: Expression<SqlBool> },
): CompiledQuery {
  const told = asText(column('id'))
  if (!leavesTable(write)) return db.updateTable(jobs.table).set(write).where(isLocked).returning(told).compile()
  const deletion = db.deleteFrom(jobs.table).where(isLocked)
  return write === 'delete' ? deletion.returning(told).compile() : toArchive(deletion, write, { told }).compile(jobs.db)
}

/** What {@link among} looks for. */
export const toldAsText = ({ key }: Jobs) => asText(key === undefined ? column('id') : keyText(key))

function leavesTable(write: Write): write is 'delete' | Moved {
  return write === 'delete' || 'archive' in write
}

/** The entries whose row came back: by its key, or by its id, as a text. */
export function among<Entry extends Lease>(
  entries: readonly Entry[],
  rows: readonly unknown[][],
  byKey: boolean,
): Entry[] {
  if (rows.length === entries.length) return [...entries] // a row comes back once, so none is missing
  const written = new Set(rows.flat().map((told) => (byKey ? String(told) : idText(told))))
  return entries.filter(({ id, key }) => written.has(byKey ? (key ?? '') : idText(id)))
}
