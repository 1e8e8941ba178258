import {
  ColumnNode,
  type Expression,
  type ExpressionBuilder,
  ExpressionWrapper,
  expressionBuilder,
  isExpression,
  type OperationNode,
  OperationNodeTransformer,
  ParensNode,
  type PrimitiveValueListNode,
  ReferenceNode,
  type SqlBool,
  TableNode,
  ValueListNode,
  ValueNode,
} from 'kysely'
import type { JobAlias, JobDatabase } from '../schema/job-database.js'
import { shown } from '../schema/shown.js'

/** A condition over a job's columns, written on the table's alias `job`: `(eb) => eb('region', '=', 'eu')`. In its sub-queries there are all other tables. */
export type Condition<DB, Table extends keyof DB> = (
  eb: ExpressionBuilder<WithJob<DB, Table>, 'job'>,
) => Expression<SqlBool>

type WithJob<DB, Table extends keyof DB> = {
  [Name in keyof DB | 'job']: Name extends 'job' ? DB[Table] : DB[Name & keyof DB]
}

/**
 * The expression of a condition. Its texts, numbers and booleans are literals: with parameters a generic plan could not
 * prove a partial index of the condition.
 * @throws TypeError where it is none
 */
export function conditionOf(condition: (eb: ExpressionBuilder<{ job: never }, 'job'>) => unknown): Expression<SqlBool> {
  const written = condition(expressionBuilder<{ job: never }, 'job'>())
  if (!isExpression(written)) {
    throw new TypeError(`gave ${shown(written)}; let it return a condition, as in (eb) => eb('region', '=', 'eu')`)
  }
  // In parentheses: an `or` of raw text would end all that is asked beside it.
  return wrapped(ParensNode.create(new Literals().transformNode(written.toOperationNode())))
}

/** A condition as an index has it: of its own table, which has no alias there. */
export function conditionOfIndex(condition: Expression<SqlBool>): Expression<SqlBool> {
  return wrapped(new WithoutAlias().transformNode(condition.toOperationNode()))
}

const wrapped = (node: OperationNode) => new ExpressionWrapper<JobDatabase, JobAlias, SqlBool>(node)

/** Values of those types as literals. */
class Literals extends OperationNodeTransformer {
  protected override transformValue(node: ValueNode): ValueNode {
    return isLiteral(node.value) ? ValueNode.createImmediate(node.value) : node
  }

  protected override transformPrimitiveValueList(node: PrimitiveValueListNode): PrimitiveValueListNode {
    if (!node.values.every(isLiteral)) return node
    const list = ValueListNode.create(node.values.map((value) => ValueNode.createImmediate(value)))
    return list as unknown as PrimitiveValueListNode // the compiler takes either for a list
  }
}

/** A backslash in a literal means what the session's settings say; a minus behind a minus begins a comment. */
function isLiteral(value: unknown): boolean {
  if (typeof value === 'string') return !value.includes('\\')
  return typeof value === 'boolean' || (typeof value === 'number' && Number.isFinite(value) && value >= 0)
}

class WithoutAlias extends OperationNodeTransformer {
  protected override transformReference(node: ReferenceNode): ReferenceNode {
    const { table, column } = node
    const isOfJob = table !== undefined && TableNode.is(table) && table.table.identifier.name === 'job'
    return isOfJob && ColumnNode.is(column) ? ReferenceNode.create(column) : node
  }
}
