import { type RawBuilder, type SqlBool, sql } from 'kysely'
import type { Operator } from './filter.js'
import { containing } from './searched-text.js'

/** A place within a JSON column. */
interface Place {
  readonly value: RawBuilder<unknown>
  /** `jsonb` or `json`. */
  readonly type: string
  readonly path: readonly string[]
}

/** What is compared as a number: JSON has no others that matter, and any of these Postgres can hold. */
const number = /^-?\d{1,250}(?:\.\d{1,250})?$/

/**
 * Whether the value at a place within JSON meets a filter. It is compared as a text; with a number that is given, JSON numbers are
 * compared as numbers.
 */
export function isMatchWithin(place: Place, operator: Operator, values: readonly string[]): RawBuilder<SqlBool> {
  const [value = ''] = values
  const isEmpty = sql<SqlBool>`coalesce(${textAt(place)}, '') in ('', '{}', '[]')`
  switch (operator) {
    case 'is empty':
      return isEmpty
    case 'is not empty':
      return sql`not ${isEmpty}`
    case 'contains':
      return containing(textAt(place), value)
    case 'begins with':
      return containing(textAt(place), value, true)
    case 'one of':
      return sql`(${sql.join(
        values.map((each) => isEqual(place, each)),
        sql` or `,
      )})`
    case '=':
      return isEqual(place, value)
    case '!=':
      return sql`(${isEqual(place, value)}) is not true`
    default:
      return isOrdered(place, operator, value)
  }
}

const textAt = ({ value, path }: Place): RawBuilder<string> => sql`(${value} #>> ${[...path]}::text[])`

const kindAt = ({ value, type, path }: Place): RawBuilder<string> =>
  sql`pg_catalog.${sql.raw(type)}_typeof(${value} #> ${[...path]}::text[])`

function isEqual(place: Place, value: string): RawBuilder<SqlBool> {
  if (place.type === 'jsonb' && !/^\s*[[{]/.test(value)) return isScalar(place, value)
  const isSame = sql<SqlBool>`${textAt(place)} = ${value}::text`
  return number.test(value) ? sql`(${isSame} or ${isOrdered(place, '=', value)})` : isSame
}

/** The same for jsonb, without making a text of each: which is most of what it costs to look through a large table. */
function isScalar({ value: column, path }: Place, value: string): RawBuilder<SqlBool> {
  const meant = [JSON.stringify(value)]
  if (number.test(value)) meant.push(value.replace(/^(-?)0+(?=\d)/, '$1')) // JSON has no zeros there
  if (value === 'true' || value === 'false') meant.push(value)
  const values = sql.join(meant.map((each) => sql`${each}::jsonb`))
  return sql`(${column} #> ${[...path]}::text[]) = any (array[${values}])`
}

/** Texts by their characters alone: so times that are written alike are in order. */
function isOrdered(place: Place, operator: '=' | '<' | '<=' | '>' | '>=', value: string): RawBuilder<SqlBool> {
  const sign = sql.raw(operator)
  const compared = (text: RawBuilder<string>) =>
    number.test(value)
      ? sql`case when ${kindAt(place)} = 'number' and ${text} ~ ${number.source} then ${text}::numeric ${sign} ${value}::numeric else false end`
      : sql`(${kindAt(place)} = 'string' and ${text} collate "C" ${sign} ${value}::text collate "C")`
  return sql`${compared(textAt(place))}`
}
