import { createHash } from 'node:crypto'
import type { ShownState } from './shown-state.js'
import type { Sort } from './stream.js'
import type { JobView } from './view.js'

/** A place in a list: a job's, or only a value of what the list is ordered by. */
export interface Cursor {
  /** Which stream of the list. */
  readonly stream: number
  /** As Postgres writes it; null: there is none, and such jobs come last. */
  readonly value: string | null
  /** The job that is there; a text: all jobs of the value are still to come, or are past. */
  readonly at: CursorJob | 'from' | 'past'
}

export interface CursorJob {
  readonly id: string
  readonly key: string | null
  readonly isArchived: boolean
}

/** A text that is no place in this list. */
export class CursorError extends Error {
  override readonly name = 'CursorError'
  readonly code = 'CURSOR'
}

/** What a list is of: a cursor of another means nothing in it. */
export interface ListIdentity {
  readonly view: JobView
  readonly states: readonly ShownState[]
  readonly sort?: Sort | undefined
}

type Written = readonly [
  list: string,
  stream: number,
  value: string | null,
  at: string,
  key?: string | null,
  archived?: boolean,
]

/** A cursor as a text that addresses can have. */
export function cursorText(list: ListIdentity, { stream, value, at }: Cursor): string {
  const job = typeof at === 'string' ? [at] : [`=${at.id}`, at.key, at.isArchived]
  return Buffer.from(JSON.stringify([markOf(list), stream, value, ...job])).toString('base64url')
}

/** Reads such a text. @throws CursorError where it is none, or of another list */
export function readCursor(list: ListIdentity, text: string): Cursor {
  const parts = partsOf(text)
  if (parts === undefined) throw noCursor()
  const [mark, stream, value, at, key = null, isArchived = false] = parts
  if (mark !== markOf(list))
    throw new CursorError('The cursor is of another list, or another order: begin at the first page')
  return { stream, value, at: at === 'from' || at === 'past' ? at : { id: at.slice(1), key, isArchived } }
}

/** The message of each cursor that is none. */
export const noCursor = (cause?: unknown): CursorError =>
  Object.assign(new CursorError('The cursor is damaged: begin at the first page'), { cause })

function partsOf(text: string): Written | undefined {
  try {
    const parts: unknown = JSON.parse(Buffer.from(text, 'base64url').toString())
    if (!Array.isArray(parts)) return undefined
    const [mark, stream, value, at, key = null, isArchived = false] = parts
    const isWhole =
      typeof mark === 'string' &&
      Number.isInteger(stream) &&
      isText(value) &&
      typeof at === 'string' &&
      /^(?:from$|past$|=)/.test(at) &&
      isText(key) &&
      typeof isArchived === 'boolean'
    return isWhole ? [mark, stream, value, at, key, isArchived] : undefined
  } catch {
    return undefined
  }
}

/** One that Postgres can hold, or null. */
const isText = (value: unknown): boolean =>
  value === null || (typeof value === 'string' && !value.includes('\0') && value.isWellFormed())

function markOf({ view, states, sort }: ListIdentity): string {
  const { schema, name } = view.places[0].table
  const list = [schema, name, [...states].toSorted(), sort?.column ?? null, sort?.descending ?? false]
  return createHash('sha256').update(JSON.stringify(list)).digest('base64url').slice(0, 8)
}
