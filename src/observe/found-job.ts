import { type RawBuilder, sql } from 'kysely'
import { isDue } from '../predicates/claimable.js'
import { keyText } from '../predicates/rows.js'
import { interruptionsOf, workerOf } from '../schema/lease-token.js'
import { quoted } from '../schema/names.js'
import { own } from '../schema/own-names.js'
import type { Cursor } from './cursor.js'
import { firstLine } from './error-text.js'
import { baseOf } from './filter-value.js'
import { type ShownState, stateOf } from './shown-state.js'
import type { JobView, ViewColumn } from './view.js'

/** What tells a job from all others. */
export interface JobIdentity {
  readonly id: string
  /** Where its id does not: as text in hexadecimal. */
  readonly key: string | null
  readonly isArchived: boolean
}

/** A job as a list shows it. Times are ISO 8601, of UTC, or `infinity`. */
export interface FoundJob extends JobIdentity {
  readonly status: string
  readonly state: ShownState | undefined
  readonly attempts: number
  /** Of columns that a table may have; null where it has them not. */
  readonly maxAttempts: number | null
  readonly priority: number | null
  readonly createdAt: string
  readonly updatedAt: string
  readonly runAt: string
  readonly lockedAt: string | null
  readonly startedAt: string | null
  readonly finishedAt: string | null
  /** How often in a row it was taken over from workers that were gone. */
  readonly interruptions: number
  /** The worker that runs it, as it calls itself. */
  readonly worker: string | null
  /** The first line of its last error. */
  readonly error: Cell
  /** The columns that were asked for, by their names. */
  readonly values: ReadonlyMap<string, Cell>
}

/** A value as a text, of which a list has the beginning. */
export interface Cell {
  /** Null: the column is. */
  readonly text: string | null
  readonly isCut: boolean
  /** What the row is called that it points to; undefined: it points to none, or none is known. */
  readonly label?: string | undefined
}

/** So many characters of a value are read. */
export const cellLength = 200

/** A function of Postgres takes no more arguments. */
const mostArguments = 50

/** All that a list tells of a job, as one JSON value. */
export function toldOf(view: JobView, columns: readonly ViewColumn[], length = cellLength): RawBuilder<unknown> {
  const has = new Map(view.columns.map((column) => [column.name, column]))
  const column = (name: string) => (has.has(name) ? sql`job.${sql.raw(quoted(name))}` : sql`null`)
  const created = has.get('created_at')
  const createdAt =
    created && baseOf(created) === 'timestamp' ? sql`job.created_at at time zone 'UTC'` : column('created_at')
  const fixed = [
    ...[
      sql`job.id::text`,
      view.key === undefined ? sql`null` : keyText(view.key),
      sql.id(own.isArchived),
      sql`${sql.id(own.order)}::text`,
    ],
    ...[sql`job.status::text`, isDue(), column('attempts_count'), column('max_attempts'), column('priority')],
    ...[
      createdAt,
      ...['updated_at', 'run_at', 'locked_at', 'started_at', 'finished_at'].map(column),
      sql`job.locked_by::text`,
    ],
    has.has('last_error') ? firstLine(cellLength + 1) : sql`null`, // a view may be without it
  ]
  const cells = columns.map(({ name }) => beginningOf(sql`job.${sql.raw(quoted(name))}::text`, length))
  const chunks = Array.from({ length: Math.ceil(cells.length / mostArguments) }, (_, n) =>
    cells.slice(n * mostArguments, (n + 1) * mostArguments),
  )
  return listOf([listOf(fixed), ...chunks.map(listOf)])
}

const listOf = (values: readonly unknown[]) => sql`pg_catalog.json_build_array(${sql.join(values)})`

/** One character more tells that it was cut. */
const beginningOf = (text: RawBuilder<unknown>, length: number) => sql`pg_catalog.left(${text}, ${sql.lit(length + 1)})`

type Fixed = readonly [
  ...[id: string, key: string | null, isArchived: boolean, order: string | null],
  ...[
    status: string,
    isDue: boolean | null,
    attempts: number | null,
    maxAttempts: number | null,
    priority: number | null,
  ],
  ...[createdAt: string, updatedAt: string, runAt: string],
  ...[lockedAt: string | null, startedAt: string | null, finishedAt: string | null, lockedBy: string | null],
  error: string | null,
]

/** What toldOf makes. */
export type Told = readonly [Fixed, ...(string | null)[][]]

/** A job that was told so, and the place in its list that it has. */
export function jobIn(
  [fixed, ...chunks]: Told,
  columns: readonly ViewColumn[],
  stream: number,
  length = cellLength,
): { job: FoundJob; cursor: Cursor } {
  const [id, key, isArchived, order, status, isDue, attempts, maxAttempts, priority, ...rest] = fixed
  const [createdAt, updatedAt, runAt, lockedAt, startedAt, finishedAt, lockedBy, error] = rest
  const cells = chunks.flat().map((text) => cellOf(text, length))
  const [, mark] = interrupted.exec(lockedAt ?? '') ?? []
  const job = {
    ...{ id, key, isArchived, status, state: stateOf(status, isDue ?? false) },
    ...{ attempts: attempts ?? 0, maxAttempts, priority },
    ...{ createdAt, updatedAt, runAt, startedAt, finishedAt, error: cellOf(error, cellLength) },
    lockedAt: mark === undefined ? lockedAt : null,
    interruptions: Number(mark ?? interruptionsOf(lockedBy)),
    worker: lockedBy === null ? null : workerOf(lockedBy),
    values: new Map(columns.map(({ name }, n) => [name, cells[n] ?? { text: null, isCut: false }])),
  }
  return { job, cursor: { stream, value: order, at: { id, key, isArchived } } }
}

/** A pending job keeps the count of its interruptions in `locked_at`, as seconds of 1970. */
const interrupted = /^1970-01-01T00:00:0([1-9])/

function cellOf(text: string | null, length: number): Cell {
  const letters = text === null || text.length <= length ? undefined : [...text]
  if (letters === undefined || letters.length <= length) return { text, isCut: false }
  return { text: letters.slice(0, length).join(''), isCut: true }
}
