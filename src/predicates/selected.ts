import { type Expression, expressionBuilder, type SqlBool } from 'kysely'
import type { JobSelection } from '../schema/selection.js'
import { hasIdIn } from './rows.js'

/**
 * A selection as a predicate on the table under the name `job`.
 * @throws TypeError for a selection that names nothing: a verb over all jobs has to be asked for (`where: (eb) => eb.lit(true)`)
 */
export function isSelected<Row>(selection: JobSelection<Row>): Expression<SqlBool> {
  if (selection.ids !== undefined) return hasIdIn(selection.ids)
  if (typeof selection.where === 'function') return selection.where(expressionBuilder<{ job: Row }, 'job'>())
  throw new TypeError('Which jobs? Give { ids: [...] } or { where: (eb) => ... }')
}
