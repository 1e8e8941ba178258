import { type RawBuilder, type SqlBool, sql } from 'kysely'
import { columnCalled } from './filter.js'
import { FilterError, writtenColumn } from './filter-error.js'
import { isNative, jobColumn } from './matching.js'
import { endedStates, finalOf, isInState, isPendingIn, type ShownState, shownStates } from './shown-state.js'
import {
  readAnyhow,
  readByTime,
  readColumn,
  readEnded,
  readPending,
  readRunning,
  readStatus,
  type Slice,
} from './slice.js'
import type { JobView, ViewColumn, ViewedTable } from './view.js'

/** How people want a list ordered. */
export interface Sort {
  readonly column: string
  /** Default false. */
  readonly descending?: boolean | undefined
}

/** Jobs in one order, from one table or more. A list is one stream behind the other. */
export interface Stream {
  readonly slices: readonly Slice[]
  readonly order: StreamOrder
  /** Each slice is looked at from its beginning, for each page: so that the streams behind it are reached, and left, at the same jobs. */
  readonly isFixed?: boolean
}

export interface StreamOrder {
  readonly value: RawBuilder<unknown>
  /** As that of a slice's index. */
  readonly name: string
  /** Its type, in SQL. */
  readonly type: string
  readonly descending: boolean
  /** Nulls come last. */
  readonly nullable: boolean
}

/** A table of which few jobs are meant, which an index finds: its condition. */
export type Narrow = ReadonlyMap<ViewedTable, RawBuilder<SqlBool>>

interface Asked {
  readonly states: readonly ShownState[]
  readonly sort?: Sort | undefined
  readonly narrow: Narrow
  readonly isFiltered: boolean
}

/**
 * The streams of a list: what runs, the longest first; what waits, by when it is due; what has ended, the latest first. Ordered by any other
 * column it is one.
 * @throws FilterError where a column has no order, or is none
 */
export function streamsOf(view: JobView, { states, sort, narrow, isFiltered }: Asked): Stream[] {
  const parts = partsOf(view, states)
  const whole = (place: ViewedTable, part: Part): Slice[] | undefined => {
    const within = narrow.get(place)
    return within && [{ place, within, meant: part.meant, isExact: false, by: undefined, isWhole: true }]
  }
  const natural = parts.map((part) => {
    const slices = view.places.flatMap((place) => whole(place, part) ?? part.slicesIn(place))
    const isFixed = parts.length > 1 && (isFiltered || slices.some(({ isExact }) => !isExact))
    return { slices, order: part.order(slices), isFixed }
  })
  if (sort === undefined) return natural
  const column = columnCalled(view, sort.column)
  const descending = sort.descending ?? false
  const [only, ...others] = natural
  if (only !== undefined && others.length === 0 && parts[0]?.by === column.name) {
    return [{ ...only, order: { ...only.order, descending } }]
  }
  const order = orderBy(column, descending)
  const meant = isInState(states, view.statuses)
  const walks = view.places.map((place) => {
    if (narrow.has(place) || states.length < shownStates.length) return undefined
    const reading = readColumn(place.indexes, column.name)
    return reading && [{ place, meant, ...reading }]
  })
  if (walks.every((walk) => walk !== undefined)) return [{ slices: walks.flat(), order }]
  return [{ slices: natural.flatMap(({ slices }) => slices), order }]
}

/** Jobs that are in one natural order. */
interface Part {
  /** The column that this order is about. */
  readonly by: string
  readonly meant: RawBuilder<SqlBool>
  slicesIn(place: ViewedTable): Slice[]
  order(slices: readonly Slice[]): StreamOrder
}

function partsOf(view: JobView, states: readonly ShownState[]): Part[] {
  const isWaiting = states.some((state) => ['due', 'scheduled', 'retrying'].includes(state))
  return [
    ...(states.includes('running') ? [running(view)] : []),
    ...(isWaiting ? [waiting(view, states)] : []),
    ...(finalOf(states, view.statuses)?.length === 0 ? [] : [ended(view, states)]),
  ]
}

function running(view: JobView): Part {
  const meant = isInState(['running'], view.statuses)
  const by = view.columns.some(({ name }) => name === 'started_at') ? 'started_at' : 'locked_at'
  return {
    by,
    meant,
    slicesIn: (place) => (place.isArchive ? [] : [{ place, meant, ...(readRunning(place) ?? readAnyhow(place)) }]),
    order: () => orderBy(columnCalled(view, by), false),
  }
}

function waiting(view: JobView, states: readonly ShownState[]): Part {
  const meant = isPendingIn(states)
  return {
    by: 'run_at',
    meant,
    slicesIn: (place) => (place.isArchive ? [] : [{ place, meant, ...readWaiting(place, states) }]),
    order: ([slice]) => {
      const plain = orderBy(columnCalled(view, 'run_at'), false)
      const { by } = slice ?? {}
      const isInAnotherForm = by !== undefined && by.name !== plain.name && by.name !== 'id'
      return isInAnotherForm ? { ...plain, value: by.value, name: by.name, type: 'pg_catalog.timestamp' } : plain
    },
  }
}

/** Those of one time are found behind, or before, those of the other. */
function readWaiting(place: ViewedTable, states: readonly ShownState[]) {
  const [due, scheduled, retrying] = (['due', 'scheduled', 'retrying'] as const).map((state) => states.includes(state))
  const reading = due === (scheduled || retrying) ? readPending(place) : readByTime(place, due === true)
  const { isExact, ...of } = reading ?? readAnyhow(place)
  return { ...of, isExact: isExact && scheduled === retrying }
}

function ended(view: JobView, states: readonly ShownState[]): Part {
  const statuses = finalOf(states, view.statuses)
  return {
    by: 'updated_at',
    meant: isInState(
      states.filter((state) => endedStates.includes(state)),
      view.statuses,
    ),
    slicesIn: (place) => endedIn(view, place, statuses),
    order: () => orderBy(columnCalled(view, 'updated_at'), true),
  }
}

/** By the index of all that have ended; what is asked of few statuses, or has no such index, by those of each status. */
function endedIn(view: JobView, place: ViewedTable, asked: ReturnType<typeof finalOf>): Slice[] {
  const all = readEnded(place)
  if (asked === undefined && all !== undefined) return [{ place, meant: isInState(endedStates, view.statuses), ...all }]
  const chosen = endedStates.filter(
    (state) => asked === undefined || finalOf([state], view.statuses)?.some((status) => asked.includes(status)),
  )
  const single = chosen.flatMap((state) => {
    const [status] = finalOf([state], view.statuses) ?? []
    const reading = status && readStatus(place, status)
    return reading ? [{ state, slice: { place, meant: isInState([state], view.statuses), ...reading } }] : []
  })
  const rest = chosen.filter((state) => !single.some((each) => each.state === state))
  const others =
    rest.length === 0
      ? []
      : [{ place, meant: isInState(rest, view.statuses), ...(all ?? readAnyhow(place)), isExact: false }]
  return [...single.map(({ slice }) => slice), ...others]
}

/** @throws FilterError where its values have no order */
function orderBy(column: ViewColumn, descending: boolean): StreamOrder {
  const { name, nullable, kind, isOrdered, type } = column
  if (kind === 'json' || kind === 'array' || (kind === 'other' && !isOrdered)) {
    throw new FilterError(`${writtenColumn(name)}: a list can't be ordered by a column of type ${type}`)
  }
  if (isNative(column)) return { value: jobColumn(column), name, type: column.cast, descending, nullable }
  return {
    value: sql`${jobColumn(column)}::text`,
    name: `${name} as text`,
    type: 'pg_catalog.text',
    descending,
    nullable,
  }
}
