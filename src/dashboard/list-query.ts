import { type Filter, type Operator, operators } from '../observe/filter.js'
import { FilterError, writtenPlace } from '../observe/filter-error.js'
import { checkedFilter, filterText, parseFilter } from '../observe/filter-text.js'
import { type ShownState, shownStates } from '../observe/shown-state.js'
import type { Sort } from '../observe/stream.js'
import type { JobView } from '../observe/view.js'
import { shown } from '../schema/shown.js'

/** What a list is asked for by its address, all of it. */
export interface ListQuery {
  /** Undefined: jobs in every state. */
  readonly state: ShownState | undefined
  readonly filters: readonly Filter[]
  /** Jobs whose last error is of one kind. */
  readonly fingerprint: string | undefined
  /** What of it means nothing for this table, and why. */
  readonly flaws: readonly string[]
  readonly sort: Sort | undefined
  readonly after: string | undefined
  readonly before: string | undefined
}

/** Reads it. A filter may be written as one text (`where`), or as its three parts, as a form sends it. */
export function listQuery(view: JobView, query: URLSearchParams): ListQuery {
  const flaws: string[] = []
  const filters: Filter[] = []
  const add = (read: () => Filter) => {
    try {
      filters.push(read())
    } catch (error) {
      if (!(error instanceof FilterError)) throw error
      flaws.push(error.message)
    }
  }
  for (const text of query.getAll('where')) if (text.trim() !== '') add(() => parseFilter(view, text))
  const column = query.get('column')
  if (column !== null && column !== '') add(() => checkedFilter(view, partsOf(view, column, query)))
  const sorted = query.get('sort') ?? undefined
  const isSorted = view.columns.some(({ name, isOrdered }) => name === sorted && isOrdered)
  const [asked, state] = [query.get('state'), shownStates.find((each) => each === query.get('state'))]
  if (asked && state === undefined) flaws.push(`There is no state ${shown(asked)}; there are ${shownStates.join(', ')}`)
  const fingerprint = query.get('error') ?? undefined
  const isHidden = view.columns.every(({ name }) => name !== 'last_error')
  if (fingerprint !== undefined && isHidden) flaws.push('The errors of this table are hidden')
  return {
    state,
    filters,
    fingerprint,
    flaws,
    sort: sorted !== undefined && isSorted ? { column: sorted, descending: query.get('order') === 'desc' } : undefined,
    after: query.get('after') ?? undefined,
    before: query.get('before') ?? undefined,
  }
}

/** A column of a row that jobs point to is named by both, as `user_id.email`. */
function partsOf(view: JobView, named: string, query: URLSearchParams): Filter {
  const joined = joinedColumns(view).find(({ place }) => place === named)
  const column = joined?.from ?? named
  const operator = operators.find((each): each is Operator => each === query.get('operator')) ?? '='
  const value = query.get('value') ?? ''
  const keys = (query.get('path') ?? '').split('.').filter((key) => key !== '')
  const path = joined === undefined ? keys : [joined.name, ...keys]
  const takesNone = operator === 'is empty' || operator === 'is not empty'
  const values = takesNone ? [] : operator === 'one of' ? value.split(',').map((each) => each.trim()) : [value]
  return { column, operator, values, ...(path.length > 0 && { path }) }
}

/** The columns of the rows that jobs point to, as a form names them. */
export function joinedColumns({ columns }: JobView) {
  return columns.flatMap(({ name: from, references }) =>
    (references?.columns ?? []).map((column) => ({
      from,
      name: column.name,
      type: column.type,
      place: writtenPlace(column),
    })),
  )
}

/** The same list by its address, with other parts in place of some. A change of what it is of begins at its first page. */
export function listAddress(list: ListQuery, changes: Partial<ListQuery> = {}): [name: string, value: string][] {
  const { state, filters, fingerprint, sort, after, before } = {
    ...list,
    after: undefined,
    before: undefined,
    ...changes,
  }
  const pairs: [string, string | undefined][] = [
    ['state', state],
    ...filters.map((filter): [string, string] => ['where', filterText(filter)]),
    ['error', fingerprint],
    ['sort', sort?.column],
    ['order', sort?.descending ? 'desc' : undefined],
    ['after', after],
    ['before', before],
  ]
  return pairs.filter((pair): pair is [string, string] => pair[1] !== undefined)
}
