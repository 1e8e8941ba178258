import { camelCase } from '../schema/row.js'
import type { ColumnKind } from './column-kind.js'
import { FilterError, writtenColumn, writtenPlace } from './filter-error.js'
import { nearest } from './nearest.js'
import type { JobView, ViewColumn } from './view.js'

/** Which jobs are meant, as data: what a column, a place within its JSON, or a column of the row that it points to has to be. */
export interface Filter {
  readonly column: string
  /** The keys that lead to a value within JSON; of a foreign key first the column of the row that it points to. Default: the column's own value. */
  readonly path?: readonly string[] | undefined
  readonly operator: Operator
  /** As people write them: of `is empty` none, of `one of` all, of any other operator one. */
  readonly values: readonly string[]
}

export const operators = [
  ...(['=', '!=', '<', '<=', '>', '>='] as const),
  ...(['contains', 'begins with', 'is empty', 'is not empty', 'one of'] as const),
] as const

export type Operator = (typeof operators)[number]

const compared: readonly Operator[] = ['=', '!=', '<', '<=', '>', '>=', 'one of']
const emptiness: readonly Operator[] = ['is empty', 'is not empty']
const searched: readonly Operator[] = ['contains', 'begins with']
const told: readonly Operator[] = ['=', '!=', 'one of']

const allowed: Readonly<Record<ColumnKind, readonly Operator[]>> = {
  text: operators,
  number: operators,
  uuid: operators,
  enum: operators,
  timestamp: [...compared, ...emptiness],
  date: [...compared, ...emptiness],
  boolean: [...told, ...emptiness],
  bytes: [...told, ...emptiness],
  array: [...told, 'contains', ...emptiness],
  json: [...searched, ...emptiness],
  other: operators,
}

/** The operators by which a column, or a place within its JSON, may be filtered. */
export function operatorsOf({ kind, isOrdered }: ViewColumn, within = false): readonly Operator[] {
  if (within) return operators
  return kind === 'other' && !isOrdered ? [...searched, ...emptiness] : allowed[kind]
}

/** The longest list of values, and the deepest place within JSON. */
const most = 500

/** What a filter is about. */
export interface Place {
  /** A column of jobs, or of the rows that they point to. */
  readonly column: ViewColumn
  /** The keys that lead to a value within its JSON. */
  readonly path: readonly string[] | undefined
}

/**
 * What a filter is about, where the filter means something for it.
 * @throws FilterError
 */
export function placeOf(view: JobView, { operator, values, ...filter }: Filter): Place {
  const { column, path } = placeCalled(view, filter)
  const written = writtenPlace(column)
  if (path !== undefined && column.kind !== 'json') {
    throw new FilterError(
      `${written}.${path.join('.')}: ${written} is of type ${column.type}, which has nothing within it: give ${written} alone`,
    )
  }
  const can = operatorsOf(column, path !== undefined)
  if (!can.includes(operator)) {
    const within = column.kind === 'json' ? `; within it all can be said: ${written}.key${operator}...` : ''
    throw new FilterError(
      `${written}: '${operator}' can't be said of a column of type ${column.type}, but ${can.join(', ')}${within}`,
    )
  }
  const wanted = emptiness.includes(operator) ? 0 : 1
  const fits = operator === 'one of' ? values.length > 0 : values.length === wanted
  if (!fits) throw new FilterError(`${written}: '${operator}' takes ${wantedOf(operator)}, not ${values.length} values`)
  if (values.length > most || (path?.length ?? 0) > most) {
    throw new FilterError(`${written}: a filter has at most ${most} values, and ${most} keys of a path`)
  }
  for (const text of [...(path ?? []), ...values]) refuseUnheld(written, text)
  return { column, path }
}

/** A column by its name, or one of the row that it points to. @throws FilterError */
function placeCalled(view: JobView, { column: name, path }: Pick<Filter, 'column' | 'path'>): Place {
  const column = columnCalled(view, name)
  if (path === undefined) return { column, path }
  const [first, ...within] = path
  if (first === undefined) throw new FilterError(`${writtenPlace(column)}: the path within it has no keys`)
  if (column.kind === 'json' || !column.references?.columns.length) return { column, path }
  return { column: columnCalled(column.references, first), path: within.length > 0 ? within : undefined }
}

const wantedOf = (operator: Operator) =>
  operator === 'one of' ? 'a value or more' : `${emptiness.includes(operator) ? 'no' : 'one'} value`

/** A column by its name in the database, or as CamelCasePlugin shows it. @throws FilterError */
export function columnCalled({ columns }: Pick<JobView, 'columns'>, name: string): ViewColumn {
  const found =
    columns.find((column) => column.name === name) ?? columns.find((column) => camelCase(column.name) === name)
  if (found !== undefined) return found
  const names = columns.map((column) => column.name)
  const near = nearest(name, names)
  const [like] = columns
  const of = like?.through === undefined ? '' : ` of ${like.through.table.name}`
  const remedy =
    near === undefined ? `there are ${names.map(writtenColumn).join(', ')}` : `did you mean ${writtenColumn(near)}?`
  throw new FilterError(`There is no column ${writtenColumn(name.slice(0, 100))}${of}; ${remedy}`)
}

/** Postgres holds no NUL in a text, and half of a surrogate pair would be sent as another character. */
export function refuseUnheld(column: string, text: string): void {
  if (!text.includes('\0') && text.isWellFormed()) return
  throw new FilterError(`${column}: the value has a character that no text in Postgres can have: leave it out`)
}
