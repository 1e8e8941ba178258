import { type AliasedExpression, AliasNode, ColumnNode, type Expression, ExpressionWrapper, sql } from 'kysely'
import { column } from '../predicates/column.js'
import { keyText } from '../predicates/rows.js'
import type { JobAlias, JobDatabase, Jobs } from '../schema/job-database.js'
import { hidingOwn } from '../schema/own-part.js'
import { camelCase } from '../schema/row.js'
import { asText } from '../schema/text.js'
import { unusedName } from './unused-name.js'

/** The columns that each job has, whatever is selected: they tell its attempt from all others. */
const always = ['id', 'attempts_count']

/** What is asked of the jobs that a statement gives. */
export interface Asked {
  /** The user's columns, as they write them. Default: all. */
  readonly select?: readonly string[] | undefined
  /** The optional columns that the worker goes by. */
  readonly columns: readonly string[]
  /** The lease of a job that is claimed: since when, and by the token of whom. */
  readonly claimed?: { readonly since: Expression<unknown>; readonly by: Expression<unknown> }
  /** The level, as text, that a job had reached when it was claimed. Default: its priority is all. */
  readonly level?: Expression<unknown> | undefined
}

/** What a statement returns of jobs, in its RETURNING or its SELECT. */
export interface Returned {
  /** All columns of the user's, before those of the list. */
  readonly isWhole: boolean
  readonly list: readonly AliasedExpression<unknown, string>[]
  /** The rows as a handler is to see them. What is for the worker alone is hidden on them; `columnValue` and `leaseOf` see it. */
  rowsOf(rows: object[]): object[]
}

/**
 * What a statement is to return of jobs: whole rows, or the columns that were asked for and what each job has. What else the worker reads of a
 * job comes with them as one text: parsed by nobody's type parser, and where not looked at by nobody.
 */
export function returnedOf(jobs: Jobs, asked: Asked): Returned {
  const { select, level } = asked
  const isWhole = select === undefined
  if (isWhole && jobs.rowKey === undefined && level === undefined) return { isWhole, list: [], rowsOf: (rows) => rows }
  const names = isWhole ? [] : [...new Set([...always, ...select])]
  const name = unusedName(names)
  return {
    isWhole,
    list: [...names.map(columnNamed), asText(ownPart(jobs, asked), name)],
    rowsOf: (rows) => hidingOwn(rows, [name, camelCase(name)]),
  }
}

/** A column by its very name: kysely takes one with a dot, or with the word `as`, for two. */
function columnNamed(name: string) {
  return new ExpressionWrapper<JobDatabase, JobAlias, unknown>(ColumnNode.create(name)).as(name)
}

/**
 * As `hidingOwn` describes it. Times as Postgres sends them in binary: neither DateStyle nor time zone nor the digits of floats
 * change them, and they cost 0.4 µs a row, as JSON 1.5. By `||`, as `concat` alone costs 0.7.
 */
function ownPart(jobs: Jobs, { select, columns, claimed, level }: Asked) {
  const part = (name: 'max_attempts' | 'priority') =>
    select !== undefined && columns.includes(name) ? sql`coalesce(${column(name)}::text, '')` : sql.lit('')
  const claim = claimed && select !== undefined ? leaseText(claimed) : sql.lit('')
  const key = jobs.rowKey === undefined ? sql.lit('') : keyText(jobs.rowKey)
  return sql.join(
    [claim, part('max_attempts'), level ? sql`${part('priority')} || ';' || ${level}` : part('priority'), key],
    sql` || ',' || `,
  )
}

function leaseText({ since, by }: NonNullable<Asked['claimed']>) {
  const time = (value: Expression<unknown>) => sql`pg_catalog.timestamptz_send(${value})`
  const mark = sql`pg_catalog.substr(pg_catalog.uuid_send(${by}::uuid), 16)`
  return sql`pg_catalog.encode(${time(column('run_at'))} || ${time(since)} || ${mark}, 'hex')`
}

/** A user's columns by the names that the catalog has. */
export function realNames(jobs: Jobs, columns: readonly string[]): string[] {
  const { selections = [] } = jobs.db.selectFrom(jobs.table).select(columns.map(columnNamed)).toOperationNode()
  return selections.map(({ selection }) => {
    // the name as the user's plugins leave it
    return AliasNode.is(selection) && ColumnNode.is(selection.node) ? selection.node.column.name : ''
  })
}

/** Those that their table lacks. */
export function missingColumns(jobs: Jobs, columns: readonly string[], real: ReadonlyMap<string, unknown>): string[] {
  const names = realNames(jobs, columns)
  return columns.filter((_, i) => !real.has(names[i] ?? ''))
}
