import { type Expression, type RawBuilder, type SqlBool, sql } from 'kysely'
import { keyText } from '../predicates/rows.js'
import { quotedName } from '../schema/names.js'
import { own } from '../schema/own-names.js'
import { asText } from '../schema/text.js'
import type { Cursor } from './cursor.js'
import { lookedAt } from './narrow.js'
import type { Slice } from './slice.js'
import type { Stream } from './stream.js'
import type { JobView } from './view.js'
import { columnsIn, keyedIn } from './viewed-columns.js'

/** A part of a stream. */
export interface Part {
  readonly view: JobView
  readonly stream: Stream
  readonly filters: Expression<SqlBool>
  /** Where it begins; undefined: at the stream's own beginning, or at its end where it is read backward. */
  readonly from?: Cursor | undefined
  /** The value up to which it goes, and whether jobs of that value are of it. */
  readonly until?: { readonly value: string | null; readonly inclusive: boolean } | undefined
  readonly backward: boolean
}

const order = sql.id(own.order)
const isArchived = sql.id(own.isArchived)
const met = sql.id(own.isMet)

/**
 * So many jobs of it, in their order (backward in the reverse), each as a JSON text of what is `told`.
 * @param isNarrow that is made of the key alone, and nothing else is to be read, as it would be sent from one server to another
 */
export function pageQuery(part: Part, told: RawBuilder<unknown>, limit: number, isNarrow = false): RawBuilder<unknown> {
  const inOrder = sql.join(orderOf(part))
  const most = sql.lit(limit)
  const branches = part.stream.slices.map((slice) => {
    const isIt = isMeant(part, slice)
    const columns = isNarrow
      ? [...keyedIn(part.view, slice.place), sql`${isIt} as ${met}`]
      : columnsIn(part.view, slice.place)
    const conditions = [isNarrow ? met : isIt, ...afterCursor(part, slice), ...beforeEnd(part, order)]
    return sql`(select job.*, ${sql.lit(slice.place.isArchive)}::boolean as ${isArchived} from (${looked(part, slice, columns)}) as job
      where ${sql.join(conditions, sql` and `)} order by ${sql.join(orderOf(part, slice))} limit ${most})`
  })
  // What is told is made of the jobs of the page alone: to make a text of a large value costs as much as to send it.
  return sql`select ${asText(told)} from (
    select * from (${sql.join(branches, sql` union all `)}) as job order by ${inOrder} limit ${most}) as job order by ${inOrder}`
}

/** Whether one of the rows of a slice is meant. */
const isMeant = ({ filters }: Part, { meant }: Slice) => sql<SqlBool>`(${sql.join([meant, filters], sql` and `)})`

/** Some columns of the rows of a slice that are looked at. */
export function looked(
  part: Part,
  slice: Slice,
  columns: readonly RawBuilder<unknown>[],
  most = lookedAt,
): RawBuilder<unknown> {
  const { stream } = part
  const conditions = isWalk(stream, slice) ? [slice.within, ...start(part)] : [slice.within]
  return sql`select ${sql.join(columns)}, ${stream.order.value} as ${order} from ${sql.raw(quotedName(slice.place.table))} as job
    where ${sql.join(conditions, sql` and `)} ${along(part, slice)} limit ${sql.lit(most)}`
}

/** Its index has the order of the stream: so it is read from a cursor on, not always from the beginning. */
export const isWalk = ({ order, isFixed }: Stream, { by, isWhole }: Slice): boolean =>
  !isFixed && !isWhole && by?.name === order.name && !order.nullable

function along({ stream, backward }: Part, slice: Slice): RawBuilder<unknown> {
  if (slice.by === undefined) return sql``
  const descending = isWalk(stream, slice) ? stream.order.descending !== backward : slice.by.descending
  return sql`order by ${slice.by.value} ${direction(descending)}`
}

const direction = (descending: boolean) => sql.raw(descending ? 'desc' : 'asc')

/** The order of a page, in which no two jobs are alike. */
function orderOf({ view, stream, backward }: Part, slice?: Slice): RawBuilder<unknown>[] {
  const way = direction(stream.order.descending !== backward)
  const nullsLast = stream.order.nullable ? [sql`(${order} is null) ${direction(backward)}`] : []
  const tie = [sql`job.id`, ...(view.key === undefined ? [] : [keyText(view.key)]), ...(slice ? [] : [isArchived])]
  return [...nullsLast, ...[order, ...tie].map((each) => sql`${each} ${way}`)]
}

/** Where a walk begins and ends, as its index has it. */
function start(part: Part): RawBuilder<SqlBool>[] {
  const { from, stream } = part
  if (from?.value == null) return beforeEnd(part, stream.order.value)
  const sign = signOf(part, from.at !== 'past')
  return [
    sql<SqlBool>`${stream.order.value} ${sign} ${valueOfType(part, from.value)}`,
    ...beforeEnd(part, stream.order.value),
  ]
}

const valueOfType = ({ stream }: Part, value: string) => sql`${value}::${sql.raw(stream.order.type)}`

/** Later in the list, or earlier where it is read backward. */
function signOf({ stream, backward }: Part, orSame: boolean) {
  return sql.raw(`${stream.order.descending === backward ? '>' : '<'}${orSame ? '=' : ''}`)
}

function beforeEnd(part: Part, value: Expression<unknown>): RawBuilder<SqlBool>[] {
  const { until, stream, backward } = part
  if (until?.value == null) return []
  const sign = signOf({ ...part, backward: !backward }, until.inclusive)
  return [sql<SqlBool>`${value} ${sign} ${sql`${until.value}::${sql.raw(stream.order.type)}`}`]
}

type Pair = readonly [Expression<unknown>, Expression<unknown>]

/** Behind the cursor; nulls are behind all values. */
function afterCursor(part: Part, { place }: Slice): RawBuilder<SqlBool>[] {
  const { from, view, backward } = part
  if (from === undefined) return []
  const { value, at } = from
  if (typeof at === 'string')
    return value === null ? [] : [sql<SqlBool>`${order} ${signOf(part, at === 'from')} ${valueOfType(part, value)}`]
  const id = view.columns.find(({ name }) => name === 'id')
  const tie: Pair[] = [
    [sql`job.id`, sql`${at.id}::${sql.raw(id?.cast ?? 'text')}`],
    ...(view.key === undefined ? [] : [[keyText(view.key), sql`${at.key}::text`] as const]),
    [sql`${sql.lit(place.isArchive)}::boolean`, sql`${at.isArchived}::boolean`],
  ]
  const sign = signOf(part, false)
  const behind = (pairs: readonly Pair[]) =>
    sql<SqlBool>`(${sql.join(pairs.map(([one]) => one))}) ${sign} (${sql.join(pairs.map(([, other]) => other))})`
  if (value === null) {
    return [backward ? sql`(${order} is not null or ${behind(tie)})` : sql`(${order} is null and ${behind(tie)})`]
  }
  const isBehind = behind([[order, valueOfType(part, value)], ...tie])
  return [part.stream.order.nullable && !backward ? sql`(${order} is null or ${isBehind})` : isBehind]
}

/**
 * Where the first of the walks ends that can't look at all there is before `to`: the last value that it looks at, and its first one.
 * No row: all is looked at.
 */
export function endQuery(part: Part, to: string | null): RawBuilder<unknown> | undefined {
  const { stream } = part
  const upTo = { ...part, ...(to !== null && { until: { value: to, inclusive: true } }) }
  const ends = stream.slices
    .filter((slice) => isWalk(stream, slice))
    .map((slice) => {
      const value = (
        skipped: number,
      ) => sql`(select ${stream.order.value} from ${sql.raw(quotedName(slice.place.table))} as job
        where ${sql.join([slice.within, ...start(upTo)], sql` and `)} ${along(part, slice)} offset ${sql.lit(skipped)} limit 1)`
      return sql`select ${value(lookedAt - 1)} as last, ${value(0)} as first`
    })
  if (ends.length === 0) return undefined
  const way = direction(stream.order.descending !== part.backward)
  // Materialized, as each mention of a value would read the index again.
  return sql`with ends as materialized (${sql.join(ends, sql` union all `)})
    select ${asText(sql`pg_catalog.json_build_array(last::text, first::text)`)} from ends where last is not null order by last ${way} limit 1`
}

/** How many rows there are in each slice, up to one more than is looked at. */
export function sizesQuery(slices: readonly Slice[]): RawBuilder<unknown> | undefined {
  const counts = slices
    .filter(({ isWhole }) => !isWhole)
    .map(({ place, within, by }) => {
      const inOrder = by === undefined ? sql`` : sql`order by ${by.value} ${direction(by.descending)}`
      const rows = sql`select 1 from ${sql.raw(quotedName(place.table))} as job where ${within} ${inOrder} limit ${sql.lit(lookedAt + 1)}`
      return sql`(select count(*) from (${rows}) as counted)`
    })
  return counts.length === 0 ? undefined : sql`select ${asText(sql`pg_catalog.json_build_array(${sql.join(counts)})`)}`
}

/** How many of the rows of a slice that are looked at are meant, and of how many it is; one more than is looked at: there are more. */
export function countQuery(part: Part, slice: Slice): RawBuilder<unknown> {
  const rows = looked(part, slice, [sql`${isMeant(part, slice)} as ${met}`], lookedAt + 1)
  return sql`select pg_catalog.json_build_array(count(*) filter (where ${met}), count(*)) as ${sql.id(own.text)}
    from (${rows}) as job`
}
