import { type RawBuilder, sql } from 'kysely'
import { FilterError, shownValue, writtenPlace } from './filter-error.js'
import { momentIn, momentOf } from './moment.js'
import type { ViewColumn } from './view.js'

/**
 * A value as one of the column's type: a parameter with a cast, never a part of the statement's text.
 * @throws FilterError where it is none, as far as that can be told without Postgres
 */
export function valueIn(column: ViewColumn, text: string): RawBuilder<unknown> {
  const { kind, cast } = column
  if (kind === 'timestamp' || kind === 'date') {
    const moment = momentOf(text)
    if (moment === undefined) throw noValue(column, text)
    return momentIn(moment, baseOf(column))
  }
  return sql`${canonical(column, text)}::${sql.raw(cast)}`
}

/** The name of the type that the column's stands on. */
export const baseOf = ({ cast }: Pick<ViewColumn, 'cast'>): string => cast.slice(cast.indexOf('.') + 2, -1)

/** A value as Postgres reads it, whatever the settings of a session. @throws FilterError */
function canonical(column: ViewColumn, text: string): string {
  const word = text.trim()
  switch (column.kind) {
    case 'number':
      if (isNumber(baseOf(column), word)) return word
      break
    case 'boolean': {
      const value = booleans[word.toLowerCase()]
      if (value !== undefined) return value
      break
    }
    case 'enum':
      if (column.labels.includes(text)) return text
      break
    case 'uuid':
      if (uuid.test(word)) return word
      break
    case 'bytes':
      if (/^\\x(?:[0-9a-f]{2})*$/i.test(word)) return word
      break
    default:
      return text
  }
  throw noValue(column, text)
}

const uuid = /^[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}$/i

const booleans: Readonly<Record<string, string | undefined>> = {
  ...Object.fromEntries(['true', 't', 'yes', 'y', 'on', '1'].map((word) => [word, 'true'])),
  ...Object.fromEntries(['false', 'f', 'no', 'n', 'off', '0'].map((word) => [word, 'false'])),
}

const integers: Readonly<Record<string, number>> = { int2: 15, int4: 31, int8: 63 }

function isNumber(base: string, word: string): boolean {
  const bits = integers[base]
  if (bits !== undefined) {
    if (!/^[+-]?\d{1,30}$/.test(word)) return false
    const value = BigInt(word.replace('+', ''))
    return value >= -(2n ** BigInt(bits)) && value < 2n ** BigInt(bits)
  }
  if (/^(?:nan|[+-]?infinity)$/i.test(word)) return base !== 'numeric' || /^nan$/i.test(word)
  if (!/^[+-]?(?:\d{1,400}(?:\.\d{0,400})?|\.\d{1,400})(?:e[+-]?\d{1,3})?$/i.test(word)) return false
  if (base === 'numeric') return true
  const value = base === 'float4' ? Math.fround(Number(word)) : Number(word)
  // Postgres refuses what would be infinite, or nothing but was something.
  return Number.isFinite(value) && (value !== 0 || !/[1-9]/.test(word.replace(/e.*$/i, '')))
}

/** A value that is none of its column's type. */
export function noValue(column: ViewColumn, text: string, cause?: unknown): FilterError {
  const said = cause instanceof Error ? ` (${cause.message})` : ''
  const value = `${writtenPlace(column)}: ${shownValue(text)} is no value of type ${column.type}${said}`
  const error = new FilterError(`${value}; ${remedyFor(column)}`)
  if (cause !== undefined) error.cause = cause
  return error
}

/** The most values of an enum that a message lists. */
const mostLabels = 20

function numberRemedy(bits: number | undefined): string {
  if (bits === undefined) return 'give a number, as 42 or 0.5'
  return `give a whole number from ${-(2n ** BigInt(bits))} to ${2n ** BigInt(bits) - 1n}`
}

function remedyFor(column: ViewColumn): string {
  switch (column.kind) {
    case 'number':
      return numberRemedy(integers[baseOf(column)])
    case 'boolean':
      return 'give true or false'
    case 'enum': {
      const more = column.labels.length - mostLabels
      return `give one of ${column.labels.slice(0, mostLabels).join(', ')}${more > 0 ? ` and ${more} more` : ''}`
    }
    case 'timestamp':
    case 'date':
      return 'give a date (2026-01-31), a time in UTC (2026-01-31T12:00:00Z), or one that is so long from now (-2h, +7d)'
    case 'uuid':
      return 'give all of its 32 digits, or look for a part of it: ~'
    case 'bytes':
      return 'give \\x and two hexadecimal digits a byte'
    case 'array':
      return 'give an array as Postgres writes it ({a,b}), or look for one element of it: ~'
    default:
      return 'give a value as Postgres writes it, or look for a part of it: ~'
  }
}
