import { type RawBuilder, type SqlBool, sql } from 'kysely'
import { now } from '../predicates/clock.js'
import { inDueOrder } from '../predicates/due-order.js'
import { hasStatus, isFinal, isPending, isRunning } from '../predicates/status.js'
import { dueOrder, quoted } from '../schema/names.js'
import { type FinalStatus, type JobStatus, pendingStatuses, unfinishedStatuses } from '../schema/statuses.js'
import type { ViewedTable } from './view.js'
import type { IndexSight } from './view-catalog.js'

/** Rows of one table as they are read: along an index, so many at most. All in SQL on the alias `job`. */
export interface Slice {
  readonly place: ViewedTable
  /** What the index has: so each row that it leads to is one. */
  readonly within: RawBuilder<SqlBool>
  /** Which of these rows are meant. */
  readonly meant: RawBuilder<SqlBool>
  /** All of them are. */
  readonly isExact: boolean
  /** What it is read by, the latest first or last; undefined: as it comes. */
  readonly by: ReadBy | undefined
  /** It is known to have no more rows than are looked at. */
  readonly isWhole?: boolean
}

/** What an index is read by, and what it has. */
type Reading = Pick<Slice, 'within' | 'by' | 'isExact'>

/** What an index is ordered by. */
export interface ReadBy {
  readonly value: RawBuilder<unknown>
  /** Two are the same where this is. */
  readonly name: string
  /** The latest come first; else the earliest. */
  readonly descending: boolean
}

const everything = sql<SqlBool>`true`

const byColumn = (name: string, descending = true): ReadBy => ({
  value: sql.raw(`job.${quoted(name)}`),
  name,
  descending,
})
const byDueOrder: ReadBy = { value: inDueOrder(sql.raw('job.run_at')), name: dueOrder, descending: false }

/** What the pending jobs of a table are read by. */
export function readPending({ indexes }: ViewedTable): Reading | undefined {
  const ofPending = ({ predicate }: IndexSight) => isOver(predicate, pendingStatuses)
  if (indexes.some((index) => index.first === dueOrder && ofPending(index)))
    return { within: sql`${isPending()}`, by: byDueOrder, isExact: true }
  if (indexes.some((index) => index.names[0] === 'run_at' && ofPending(index))) {
    return { within: sql`${isPending()}`, by: byColumn('run_at', false), isExact: true }
  }
  return readColumn(indexes, 'run_at', false)
}

/** The same, of those alone that are due, or that are not yet. */
export function readByTime(place: ViewedTable, due: boolean): Reading | undefined {
  const reading = readPending(place)
  if (reading?.by === undefined) return reading
  const time = reading.by.name === dueOrder ? inDueOrder(now()) : now()
  return { ...reading, within: sql`${reading.within} and ${reading.by.value} ${sql.raw(due ? '<=' : '>')} ${time}` }
}

/** What the running jobs are read by. */
export function readRunning({ indexes }: ViewedTable): Reading | undefined {
  const index = indexes.find(({ predicate }) => isOver(predicate, ['job_status_running']))
  const [first] = index?.names ?? []
  return first ? { within: sql`${isRunning()}`, by: byColumn(first), isExact: true } : undefined
}

/** What all ended jobs are read by, the latest end last. */
export function readEnded({ indexes }: ViewedTable): Reading | undefined {
  const isOfEnded = ({ names, predicate }: IndexSight) =>
    names[0] === 'updated_at' && isOver(predicate, unfinishedStatuses, true)
  if (indexes.some(isOfEnded)) return { within: sql`${isFinal()}`, by: byColumn('updated_at'), isExact: true }
  return readColumn(indexes, 'updated_at')
}

/** What the jobs of one final status are read by. */
export function readStatus({ indexes }: ViewedTable, status: FinalStatus): Reading | undefined {
  const isOfStatus = ({ names, predicate }: IndexSight) =>
    names[0] === 'status' && names[1] === 'updated_at' && (predicate === null || isHeld(predicate, status))
  if (!indexes.some(isOfStatus)) return undefined
  // Said twice for an index of all but those that succeeded: its condition is proven by its own words.
  const others = status === 'job_status_succeeded' ? sql`` : sql` and job.status <> 'job_status_succeeded'`
  return { within: sql`${hasStatus([status])}${others}`, by: byColumn('updated_at'), isExact: true }
}

function isHeld(predicate: string, status: FinalStatus): boolean {
  const named = statusesIn(predicate)
  if (named === undefined) return false
  return named.isNegated ? !named.statuses.includes(status) : named.statuses.includes(status)
}

/** By an index over all rows that begins with a column. */
export function readColumn(indexes: readonly IndexSight[], name: string, descending = true): Reading | undefined {
  const isThere = indexes.some(({ names, predicate }) => names[0] === name && predicate === null)
  return isThere ? { within: everything, by: byColumn(name, descending), isExact: false } : undefined
}

/** Of a table without an index that serves: by its id, else as it comes. */
export const readAnyhow = ({ indexes }: ViewedTable): Reading =>
  readColumn(indexes, 'id') ?? { within: everything, by: undefined, isExact: false }

/** Whether the condition of an index is that the status is one of these, or none of them, and nothing else. */
function isOver(predicate: string | null, statuses: readonly JobStatus[], isNegated = false): boolean {
  const named = predicate === null ? undefined : statusesIn(predicate)
  return named?.isNegated === isNegated && named.statuses.toSorted().join() === statuses.toSorted().join()
}

/** The statuses that a condition on the status alone names; undefined: it says more. */
function statusesIn(
  predicate: string,
): { readonly statuses: readonly string[]; readonly isNegated: boolean } | undefined {
  if (/\b(?:AND|OR)\b/.test(predicate) || !/^\(*(?:NOT )?\(*status\b/.test(predicate)) return undefined
  const statuses = [...predicate.matchAll(/'(job_status_\w+)'/g)].map(([, status = '']) => status)
  return { statuses, isNegated: /<>|\bNOT\b/.test(predicate) }
}
