import type { Expression, SqlBool } from 'kysely'
import { type Condition, conditionOf } from '../predicates/condition.js'
import { shown } from '../schema/shown.js'
import { WorkerOptionError } from './option-values.js'

/** Which jobs of its table a worker takes. */
export interface ClaimOptions<DB, Table extends keyof DB> {
  /**
   * Only jobs of this condition are this worker's: over the columns of the table, which is called `job` in it. It is asked again with
   * each look, so a job that changes may become another worker's until it is claimed. Leases that expire are any worker's to rescue.
   * @example (eb) => eb('region', '=', 'eu')
   */
  readonly where?: Condition<DB, Table> | undefined
}

/** @throws WorkerOptionError */
export function condition(value: unknown): Expression<SqlBool> | undefined {
  if (value === undefined) return undefined
  if (typeof value !== 'function') {
    throw new WorkerOptionError(
      `where: ${shown(value)} is invalid; give a function that returns a condition, as in (eb) => eb('region', '=', 'eu')`,
    )
  }
  try {
    return conditionOf(value as Parameters<typeof conditionOf>[0]) // the door's types have checked it
  } catch (error) {
    throw new WorkerOptionError(
      `where: the function ${error instanceof TypeError ? error.message : `threw ${String(error)}`}`,
    )
  }
}
