import { type Expression, type ExpressionBuilder, expressionBuilder, type SqlBool } from 'kysely'
import type { JobId } from '../schema/columns.js'
import { hasIdIn } from './rows.js'

/**
 * Which jobs a verb is about: their ids, or a condition over the user's own columns, written on the table's
 * alias `job`: `{ where: (eb) => eb('user_id', '=', id) }`.
 */
export type JobSelection<Row> =
  | { readonly ids: readonly JobId[]; readonly where?: never }
  | { readonly where: (eb: ExpressionBuilder<{ job: Row }, 'job'>) => Expression<SqlBool>; readonly ids?: never }

/**
 * A selection as a predicate on the table under the name `job`.
 * @throws TypeError for a selection that names nothing, or names jobs in both ways: a verb over all jobs has to be asked for (`where: (eb) => eb.lit(true)`)
 */
export function isSelected<Row>(selection: JobSelection<Row>): Expression<SqlBool> {
  const { ids, where } = selection
  if (ids !== undefined && where !== undefined) throw new TypeError('Which jobs? Give either ids or where, not both')
  if (Array.isArray(ids)) return hasIdIn(ids)
  if (typeof where === 'function') return where(expressionBuilder<{ job: Row }, 'job'>())
  throw new TypeError('Which jobs? Give { ids: [...] } or { where: (eb) => ... }')
}
