import { quoted } from '../schema/names.js'
import type { ViewColumn } from './view.js'

/** A filter that means nothing for this table: the message names the column, the value, the type and the remedy. */
export class FilterError extends Error {
  override readonly name = 'FilterError'
  readonly code = 'FILTER'
}

/** The longest part of a value that a message repeats. */
const shownLength = 80

/** A value as a message names it. */
export function shownValue(value: string): string {
  return JSON.stringify(value.length > shownLength ? `${value.slice(0, shownLength)} ...` : value)
}

/** A column as it is written in a filter: quoted where its name needs that. */
export function writtenColumn(name: string): string {
  return /^[\p{L}_][\p{L}\p{N}_$]*$/u.test(name) ? name : quoted(name)
}

/** A column as it is written in a filter, also one of the row that a foreign key points to: `user_id.email`. */
export function writtenPlace({ through, name }: Pick<ViewColumn, 'through' | 'name'>): string {
  return [...(through === undefined ? [] : [through.from]), name].map(writtenColumn).join('.')
}
