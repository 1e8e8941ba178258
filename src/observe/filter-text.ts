import { quoted } from '../schema/names.js'
import { columnCalled, type Filter, type Operator, placeOf } from './filter.js'
import { FilterError, shownValue, writtenColumn } from './filter-error.js'
import { valueIn } from './filter-value.js'
import type { JobView } from './view.js'

/** How operators are written; the longer of two that begin alike comes first. */
const signs: readonly (readonly [sign: string, operator: Operator])[] = [
  ['!=', '!='],
  ['<=', '<='],
  ['>=', '>='],
  ['^=', 'begins with'],
  ['=', '='],
  ['<', '<'],
  ['>', '>'],
  ['~', 'contains'],
]

/** A key of a name or a path: as it is, or in double quotes, of which those within it are doubled. */
const key = String.raw`"(?:[^"]|"")*"|[^\s.=!<>~^"]+`
const beginning = new RegExp(String.raw`^\s*(${key})((?:\.(?:${key}))*)\s*`, 'u')
const words = /^(is\s+not\s+empty|is\s+empty|in)(?:\s+|$)/i

/**
 * Reads a filter as people write it: `tenant_id=7`, `created_at>=2026-01-01`, `created_at>-2h`, `payload.user.id=42` (within JSON),
 * `user_id.plan=free` (of the row that a foreign key points to), `name~ada` (contains), `name^=ada` (begins with), `region in eu,us`, `note is empty`, `"Weird col"!=x`.
 * @throws FilterError where it is none, or means nothing for the view
 */
export function parseFilter(view: JobView, text: string): Filter {
  const [head, first, rest = ''] = beginning.exec(text) ?? []
  if (first === undefined || head === undefined) throw noFilter(text)
  const column = unquoted(first)
  const path = [...rest.matchAll(new RegExp(String.raw`\.(${key})`, 'gu'))].map(([, each = '']) => unquoted(each))
  const { operator, values } = comparison(text.slice(head.length), text)
  const filter = { column, ...(path.length > 0 && { path }), operator, values }
  return checkedFilter(view, filter)
}

/** A filter with the column's name as the database has it. @throws FilterError where it means nothing for the view */
export function checkedFilter(view: JobView, filter: Filter): Filter {
  const { column, path } = placeOf(view, filter)
  const isOfType = path === undefined && !['contains', 'begins with'].includes(filter.operator)
  if (isOfType) for (const value of filter.values) valueIn(column, value)
  return { ...filter, column: columnCalled(view, filter.column).name }
}

function comparison(text: string, whole: string): Pick<Filter, 'operator' | 'values'> {
  const [said, word = ''] = words.exec(text) ?? []
  if (said !== undefined) {
    const operator = word.toLowerCase().replace(/\s+/g, ' ')
    const behind = text.slice(said.length)
    if (operator === 'in') return { operator: 'one of', values: listed(behind, whole) }
    if (behind.trim() === '') return { operator: operator as 'is empty' | 'is not empty', values: [] } // the pattern has no other
    throw noFilter(whole)
  }
  const [sign, operator] = signs.find(([each]) => text.startsWith(each)) ?? []
  if (sign === undefined || operator === undefined) throw noFilter(whole)
  const value = text.slice(sign.length).trim()
  return { operator, values: [inQuotes.test(value) ? unquoted(value) : value] }
}

/** `eu,us`, or with commas in a value `"a,b",c`. @throws FilterError */
function listed(text: string, whole: string): string[] {
  const values: string[] = []
  const item = /\s*(?:"((?:[^"]|"")*)"|([^",]*))\s*(,|$)/uy
  for (let more = ','; more === ','; ) {
    const [, inside, plain = '', end] = item.exec(text) ?? []
    if (end === undefined) throw noFilter(whole)
    values.push(inside?.replaceAll('""', '"') ?? plain.trim())
    more = end
  }
  return values
}

/** Where a value begins or ends with a space, or with quotes. */
const inQuotes = /^"(?:[^"]|"")*"$/

const unquoted = (name: string): string => (name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name)

function noFilter(text: string): FilterError {
  return new FilterError(
    `${shownValue(text)} is no filter; write a column, an operator and a value: status=job_status_failed, created_at>-2h, name~ada, region in eu,us, note is empty, payload.user.id=42`,
  )
}

/** A filter as `parseFilter` reads it. */
export function filterText({ column, path = [], operator, values }: Filter): string {
  const place = [writtenColumn(column), ...path.map(writtenKey)].join('.')
  if (operator === 'one of') return `${place} in ${values.map(writtenItem).join(',')}`
  const [sign] = signs.find(([, each]) => each === operator) ?? []
  return sign === undefined ? `${place} ${operator}` : `${place}${sign}${writtenValue(values[0] ?? '')}`
}

const writtenKey = (name: string): string => (/^[\p{L}\p{N}_$-]+$/u.test(name) ? name : quoted(name))

const writtenValue = (value: string): string => (/^\s|\s$|^"/.test(value) ? quoted(value) : value)

const writtenItem = (value: string): string => (/^[^\s",]+$/u.test(value) ? value : quoted(value))
