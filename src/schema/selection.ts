import type { Expression, ExpressionBuilder, SqlBool } from 'kysely'
import type { JobId } from './columns.js'

/**
 * Which jobs a verb is about: their ids, or a condition over the user's own columns, written on the table's
 * alias `job`: `{ where: (eb) => eb('user_id', '=', id) }`.
 */
export type JobSelection<Row> =
  | { readonly ids: readonly JobId[]; readonly where?: never }
  | { readonly where: (eb: ExpressionBuilder<{ job: Row }, 'job'>) => Expression<SqlBool>; readonly ids?: never }
