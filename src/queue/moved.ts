import {
  type AliasedExpression,
  AliasNode,
  type DeleteQueryNode,
  type Expression,
  ExpressionWrapper,
  isExpression,
  type OperationNode,
  QueryNode,
  type RawBuilder,
  RawNode,
  SelectionNode,
  sql,
} from 'kysely'
import type { JobArchive } from '../schema/archive.js'
import { quoted, quotedName, type TableName } from '../schema/names.js'
import { own } from '../schema/own-names.js'
import { unusedName } from './unused-name.js'

/** A row that goes to the archive, with what is written of its end. */
export interface Moved {
  readonly archive: JobArchive
  readonly changes: Readonly<Record<string, unknown>>
}

/** The deletion of rows that go elsewhere. */
export interface Deletion {
  toOperationNode(): DeleteQueryNode
}

/** Rows that go from one table to another, their columns, and what is to be written of them in passing. */
interface Move {
  /** The deletion, without RETURNING. */
  readonly deletion: Deletion
  readonly to: TableName
  readonly columns: readonly string[]
  readonly changes: Readonly<Record<string, unknown>>
  /** What columns take, in SQL, where they are null. */
  readonly defaults?: ReadonlyMap<string, string>
  /** What else is told of each as it was, each with a name in SQL. */
  readonly told?: readonly (readonly [Expression<unknown>, name: string])[]
}

/**
 * `with gone as (delete ... returning ...) insert into ... select ... from gone`: the deletion and the insert are one
 * statement, so that a job is in exactly one of the tables. What is written of it sees the row as it was.
 */
function moving({ deletion, to, columns, changes, defaults, told = [] }: Move) {
  // A value, or the literal that a status is, has no type of its own: the column gives it one where it is put in.
  const isExpressed = (name: string) => isExpression(changes[name]) && name !== 'status'
  const taken = columns.map((name) =>
    isExpressed(name) ? named(sql`${changes[name]}`, quoted(name)) : plain(`${own.row}.${quoted(name)}`),
  )
  const asItWas = (name: string) => {
    const value = `${own.gone}.${quoted(name)}`
    return sql.raw(defaults?.has(name) ? `coalesce(${value}, ${defaults.get(name)})` : value)
  }
  const given = columns.map((name) =>
    isExpressed(name) || !Object.hasOwn(changes, name) ? asItWas(name) : sql`${changes[name]}`,
  )
  const returned = [...taken, ...told.map(([value, name]) => named(value, name))].map(SelectionNode.create)
  const gone = new ExpressionWrapper(QueryNode.cloneWithReturning(deletion.toOperationNode(), returned))
  return {
    gone: sql`${sql.raw(own.gone)} as (${gone})`,
    insert: (overriding: string) =>
      sql`insert into ${sql.raw(quotedName(to))} (${namesOf(columns)})${sql.raw(overriding)} select ${sql.join(given)} from ${sql.raw(own.gone)}`,
  }
}

// By the very names of the columns: no plugin of the user's changes them.
const plain = (text: string) => RawNode.createWithSql(text) as OperationNode as AliasNode // in SQL, a column with its name
const named = (value: Expression<unknown>, name: string) =>
  AliasNode.create(value.toOperationNode(), RawNode.createWithSql(name))

const namesOf = (columns: readonly string[]) => sql.raw(columns.map(quoted).join(', '))

/**
 * Moves rows to the archive, and answers with the ids as the user's driver reads them, or with what is `told` of each row as it
 * was. A column that the job table has got meanwhile would be left behind: then the statement is an error (42601), as the query of
 * all columns, which is never run, does not fit.
 *
 * @param deletion of rows of the job table
 */
export function toArchive<Row>(
  deletion: Deletion,
  { archive, changes }: Moved,
  answer: { readonly id?: boolean; readonly told?: AliasedExpression<unknown, string> },
): RawBuilder<Row> {
  const { table: to, of, columns } = archive
  const name = unusedName([...columns, own.text]) // a column of that name is the user's
  const told = answer.told === undefined ? [] : [[answer.told.expression, name] as const]
  const { gone, insert } = moving({ deletion, to, columns, changes, told })
  const [table, all, put] = [quotedName(of), own.all, own.put].map((name) => sql.raw(name))
  const guard = sql`select ${namesOf(columns)} from ${table} union all select * from ${table}`
  const answers = [
    ...(answer.id ? [sql`id`] : []),
    ...(answer.told ? [sql`${sql.raw(name)} as ${sql.raw(own.text)}`] : []),
  ]
  return sql<Row>`with ${gone}, ${all} as (${guard}), ${put} as (${insert('')}) select ${sql.join(answers)} from ${sql.raw(own.gone)}`
}

/** Brings rows back from the archive, to run again. @param deletion of rows of the archive */
export function fromArchive<Row>(
  deletion: Deletion,
  { of, returned, defaults }: JobArchive,
  changes: Moved['changes'],
): RawBuilder<Row> {
  const { gone, insert } = moving({ deletion, to: of, columns: returned, changes, defaults })
  return sql<Row>`with ${gone} ${insert(' overriding system value')} returning id`
}
