import { type Expression, type RawBuilder, type SqlBool, sql } from 'kysely'
import { sqlState } from '../pg/error-class.js'
import { job } from '../predicates/column.js'
import { undoable } from '../queue/chunks.js'
import { type Jobs, realJobsOf } from '../schema/job-database.js'
import { quoted, quotedName } from '../schema/names.js'
import { asText, textsOf } from '../schema/text.js'
import { type Filter, type Operator, type Place, placeOf } from './filter.js'
import { baseOf, noValue, valueIn } from './filter-value.js'
import { isMatchWithin } from './matching-json.js'
import { momentOf } from './moment.js'
import { containing } from './searched-text.js'
import type { JobView, ViewColumn } from './view.js'

/**
 * Whether a job meets all filters: a predicate on the alias `job`, as the queue's verbs and lists have it. Columns are named as the view
 * has them, values are parameters.
 * @throws FilterError
 */
export function isMatch(view: JobView, filters: readonly Filter[]): Expression<SqlBool> {
  return job.and(filters.map((filter) => sql<SqlBool>`(${isMet(placeOf(view, filter), filter)})`))
}

/**
 * A column of a job, past all plugins, or of the row that the job points to: looked up by its key for each job that is looked at, so
 * that it costs what the looking costs, however large the other table is.
 */
export function jobColumn({ name, through }: Pick<ViewColumn, 'name' | 'through'>): RawBuilder<unknown> {
  if (through === undefined) return sql.raw(`job.${quoted(name)}`)
  const { from, table, column } = through
  const isPointedTo = `row.${quoted(column)} = job.${quoted(from)}`
  return sql.raw(`(select row.${quoted(name)} from ${quotedName(table)} as row where ${isPointedTo})`)
}

function isMet({ column, path }: Place, { operator, values }: Omit<Filter, 'path'>): RawBuilder<SqlBool> {
  const value = jobColumn(column)
  if (path !== undefined) return isMatchWithin({ value, type: baseOf(column), path }, operator, values)
  switch (operator) {
    case 'is empty':
      return isEmpty(column)
    case 'is not empty':
      return sql`not coalesce(${isEmpty(column)}, false)`
    case 'contains':
      if (column.kind === 'array') return sql`${values[0]}::text = any (${value}::text[])`
      return containing(sql`${value}::text`, values[0] ?? '')
    case 'begins with':
      return containing(sql`${value}::text`, values[0] ?? '', true)
    case 'one of':
      return sql`(${sql.join(
        values.map((text) => isCompared(column, '=', text)),
        sql` or `,
      )})`
    case '!=':
      return sql`(${isCompared(column, '=', values[0] ?? '')}) is not true` // where there is no value, it is not this one
    default:
      return isCompared(column, operator, values[0] ?? '')
  }
}

type Comparison = Exclude<Operator, '!=' | 'contains' | 'begins with' | 'is empty' | 'is not empty' | 'one of'>

function isCompared(column: ViewColumn, operator: Comparison, text: string): RawBuilder<SqlBool> {
  const value = jobColumn(column)
  const compared = (one: RawBuilder<unknown>, other: RawBuilder<unknown>) =>
    sql<SqlBool>`${one} ${sql.raw(operator)} ${other}`
  const given = valueIn(column, text)
  if (column.kind === 'timestamp' && operator === '=') {
    const moment = momentOf(text)
    if (moment && 'at' in moment && moment.isDay)
      return sql`(${value} >= ${given} and ${value} < ${given} + interval '1 day')`
  }
  if (column.kind === 'array') return compared(sql`${value}::text`, sql`${given}::text`) // elements may have no equality
  if (column.kind !== 'text' || isNative(column)) return compared(value, given)
  const isAnyCase = baseOf(column) === 'citext'
  const asText = (each: RawBuilder<unknown>) => (isAnyCase ? sql`pg_catalog.lower(${each}::text)` : sql`${each}::text`)
  return compared(asText(value), asText(sql`${text}`))
}

/** Compared by operators of its own, and so by an index of it; a cast to others would cut a value, or their operators may not be found. */
export const isNative = (column: ViewColumn): boolean =>
  column.kind !== 'text' || ['text', 'varchar', 'bpchar'].includes(baseOf(column))

function isEmpty(column: ViewColumn): RawBuilder<SqlBool> {
  const value = jobColumn(column)
  switch (column.kind) {
    case 'text':
      return sql`coalesce(${value}::text = '', true)`
    case 'bytes':
      return sql`coalesce(pg_catalog.length(${value}) = 0, true)`
    case 'array':
      return sql`coalesce(pg_catalog.cardinality(${value}) = 0, true)`
    case 'json':
      return sql`coalesce(${value}::text in ('null', '{}', '[]', '""'), true)`
    default:
      return sql`${value} is null`
  }
}

/**
 * Whether Postgres takes the values for ones of their columns' types, where nobody else can tell: of domains, ranges, arrays.
 * @throws FilterError
 */
export async function proveFilters(db: Jobs['db'], view: JobView, filters: readonly Filter[]): Promise<void> {
  const jobs = realJobsOf(db, view.places[0].table)
  for (const filter of filters) {
    const { column, path } = placeOf(view, filter)
    if (path !== undefined || ['contains', 'begins with'].includes(filter.operator)) continue
    if (!column.isDomain && column.kind !== 'array' && column.kind !== 'other') continue
    for (const text of filter.values) {
      const given = valueIn(column, text)
      const proven =
        column.isDomain && /^(?:=|!=|one of)$/.test(filter.operator) ? sql`${given}::${sql.raw(column.type)}` : given
      const query = sql`select ${asText(sql`${proven} is null`)}`.compile(jobs.db)
      await undoable(jobs, () => textsOf(jobs.db, query)).catch((error) => {
        throw /^(?:22|23|42)/.test(sqlState(error) ?? '') ? noValue(column, text, error) : error
      })
    }
  }
}
