import type { Expression, Kysely, SqlBool } from 'kysely'
import { sqlState } from '../pg/error-class.js'
import type { JobDatabase } from '../schema/job-database.js'
import { shown } from '../schema/shown.js'
import { textsOf } from '../schema/text.js'
import { type Cursor, CursorError, cursorText, noCursor, readCursor } from './cursor.js'
import { columnCalled, type Filter } from './filter.js'
import { type FoundJob, jobIn, type Told, toldOf } from './found-job.js'
import { labelled } from './labels.js'
import { proveFilters } from './matching.js'
import { lookedAt, narrowed } from './narrow.js'
import { endQuery, isWalk, type Part, pageQuery, sizesQuery } from './page.js'
import { rowsOfNodes } from './rows-of-nodes.js'
import { type ShownState, shownStates } from './shown-state.js'
import { isSought } from './sought.js'
import { steadily } from './steadily.js'
import { type Sort, type Stream, streamsOf } from './stream.js'
import type { JobView, ViewColumn } from './view.js'

/** Which jobs a list is of, and which page of it. */
export interface JobQuery {
  /** Jobs in any of these. Default: in all. */
  readonly states?: readonly ShownState[] | undefined
  /** Those that meet all of these. */
  readonly filters?: readonly Filter[] | undefined
  /** Those whose last error is of this kind, as `errorGroups` tells it. */
  readonly fingerprint?: string | undefined
  /** Default: what runs, the longest first; what waits, by when it is due; what has ended, the latest first. */
  readonly sort?: Sort | undefined
  /** The columns that are shown. Default: the first six of the user's own. */
  readonly columns?: readonly string[] | undefined
  /** How many jobs, at most 100. Default 50. */
  readonly limit?: number | undefined
  /** The page behind this cursor, or the one before it. Default: the first. */
  readonly after?: string | undefined
  readonly before?: string | undefined
}

/** A page of a list. */
export interface JobPage {
  readonly jobs: readonly FoundJob[]
  /** The cursor of the page behind it (`after`), and of the one before it (`before`); undefined: there is none. */
  readonly next: string | undefined
  readonly previous: string | undefined
  /**
   * Whether all jobs were looked at that could be of this page, or of each status, and in each table, only the latest `at`. Where there
   * are no more, but a next page, that one looks further.
   */
  readonly looked: { readonly at: number; readonly isAll: boolean }
}

/**
 * Jobs of a table and its archive, a page at a time: each exactly once, while none changes. Of more than 10,000 jobs with the same time
 * some may be left out, and it is said.
 * @throws FilterError, CursorError
 */
export async function findJobs(db: Kysely<JobDatabase>, view: JobView, query: JobQuery = {}): Promise<JobPage> {
  const { states = shownStates, filters = [], fingerprint, sort, limit = 50 } = query
  if (!Number.isInteger(limit) || limit < 1 || limit > 100)
    throw new RangeError(`limit: ${shown(limit)} is invalid; give 1 to 100`)
  const columns = query.columns?.map((name) => columnCalled(view, name)) ?? firstOwn(view)
  const list = { view, states, sort }
  const backward = query.after === undefined && query.before !== undefined
  const text = query.after ?? query.before
  const given = text === undefined ? undefined : readCursor(list, text)
  const condition = isSought(view, filters, fingerprint)
  return steadily(db, view, async (trx) => {
    await proveFilters(trx, view, filters)
    const streams = streamsOf(view, {
      states,
      sort,
      narrow: await narrowed(trx, view, filters),
      isFiltered: filters.length > 0 || fingerprint !== undefined,
    })
    const read = await readList(trx, { view, streams, condition, columns, given, backward, limit }).catch(
      provenCursor(given),
    )
    const found = backward ? read.found.toReversed() : read.found
    const [first, last] = [found.at(0)?.cursor ?? given, found.at(-1)?.cursor ?? given]
    const ahead = read.end ?? (read.isMore ? read.found.at(-1)?.cursor : undefined)
    const [next, previous] = backward ? [last, ahead] : [ahead, given && first]
    return {
      jobs: await labelled(
        trx,
        columns,
        found.map(({ job }) => job),
      ),
      next: next && cursorText(list, next),
      previous: previous && cursorText(list, previous),
      looked: { at: lookedAt, isAll: read.isAll },
    }
  })
}

const firstOwn = ({ columns }: JobView) => columns.filter(({ isOfQueue }) => !isOfQueue).slice(0, 6)

interface Reading {
  readonly view: JobView
  readonly streams: readonly Stream[]
  readonly condition: Expression<SqlBool>
  readonly columns: readonly ViewColumn[]
  readonly given: Cursor | undefined
  readonly backward: boolean
  readonly limit: number
}

interface Read {
  readonly found: readonly { readonly job: FoundJob; readonly cursor: Cursor }[]
  /** There are more of those that were looked at. */
  readonly isMore: boolean
  /** Where the look ended. */
  readonly end: Cursor | undefined
  readonly isAll: boolean
}

/** One stream behind the other, until the page is full or one could not be looked at to its end. */
async function readList(db: Kysely<JobDatabase>, reading: Reading): Promise<Read> {
  const { streams, given, backward, limit } = reading
  if (given !== undefined && streams[given.stream] === undefined) throw noCursor()
  const places = backward ? [...streams.keys()].toReversed() : [...streams.keys()]
  const found: Read['found'][number][] = []
  let isAll = true
  for (const place of places) {
    const isPast = given !== undefined && (backward ? place > given.stream : place < given.stream)
    const stream = streams[place]
    if (isPast || stream === undefined) continue
    const read = await readStream(db, reading, place, stream, limit - found.length)
    found.push(...read.found)
    isAll &&= read.isAll
    if (read.end !== undefined) return { found, isMore: false, end: read.end, isAll }
    if (read.isMore) return { found, isMore: true, end: undefined, isAll }
  }
  return { found, isMore: false, end: undefined, isAll }
}

async function readStream(
  db: Kysely<JobDatabase>,
  { view, condition, columns, given, backward }: Reading,
  place: number,
  stream: Stream,
  limit: number,
): Promise<Read> {
  const part: Part = { view, stream, filters: condition, backward, from: given?.stream === place ? given : undefined }
  const asking = async (what: Part) => {
    const jobs = (await rowsOf(db, what, toldOf(view, columns), limit + 1)).map((row) => jobIn(row, columns, place))
    return { found: jobs.slice(0, limit), isMore: jobs.length > limit }
  }
  const sizes = await answerOf<number[]>(db, sizesQuery(stream.slices.filter((slice) => !isWalk(stream, slice))))
  const isAll = sizes?.every((size) => size <= lookedAt) ?? true
  const page = await asking(part)
  const isOneWalk = stream.slices.length === 1 && stream.slices.every((slice) => isWalk(stream, slice))
  if (page.isMore && isOneWalk) return { ...page, end: undefined, isAll }
  const to = page.isMore ? (page.found.at(-1)?.cursor.value ?? null) : null
  const ended = await answerOf<[last: string, first: string]>(db, endQuery(part, to))
  if (ended === undefined) return { ...page, end: undefined, isAll }
  const [last, firstLooked] = ended
  // Jobs of the last value may not all have been looked at: the next page begins with them. Where there is no other, it can't.
  const isOneValue = last === firstLooked
  const looked = await asking({ ...part, until: { value: last, inclusive: isOneValue } })
  if (looked.isMore) return { ...looked, end: undefined, isAll: isAll && !isOneValue }
  return { ...looked, end: { stream: place, value: last, at: isOneValue ? 'past' : 'from' }, isAll: false }
}

async function rowsOf(
  db: Kysely<JobDatabase>,
  part: Part,
  told: ReturnType<typeof toldOf>,
  limit: number,
): Promise<Told[]> {
  const { spread } = part.view
  if (spread !== undefined) return rowsOfNodes(db, part, spread, told, limit)
  const texts = await textsOf(db, pageQuery(part, told, limit).compile(db.withoutPlugins()))
  return texts.map((text) => JSON.parse(text ?? '') as Told) // as toldOf makes it
}

async function answerOf<Answer>(
  db: Kysely<JobDatabase>,
  query: ReturnType<typeof endQuery>,
): Promise<Answer | undefined> {
  if (query === undefined) return undefined
  const [text] = await textsOf(db, query.compile(db.withoutPlugins()))
  return text == null ? undefined : (JSON.parse(text) as Answer) // as the query makes it
}

/** Values of a cursor that somebody has changed may be none of their types, which only Postgres can tell. */
function provenCursor(given: Cursor | undefined): (error: unknown) => never {
  return (error) => {
    if (given === undefined || error instanceof CursorError || !/^22/.test(sqlState(error) ?? '')) throw error
    throw noCursor(error)
  }
}
