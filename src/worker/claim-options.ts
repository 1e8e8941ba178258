import type { Expression, SqlBool } from 'kysely'
import { type Condition, conditionOf } from '../predicates/condition.js'
import type { Keyed } from '../queue/claim.js'
import type { KeyColumn } from '../schema/key-column.js'
import { shown } from '../schema/shown.js'
import { atLeast, oneOf, WorkerOptionError } from './option-values.js'

/** Which jobs of its table a worker takes. */
export interface ClaimOptions<DB, Table extends keyof DB> {
  /**
   * Only jobs of this condition are this worker's: over the columns of the table, which is called `job` in it. It is asked again with
   * each look, so a job that changes may become another worker's until it is claimed. Leases that expire are any worker's to rescue.
   * @example (eb) => eb('region', '=', 'eu')
   */
  readonly where?: Condition<DB, Table> | undefined
  /**
   * At most so many running jobs of the table, or of each value of a column, over all workers: never more, whatever happens. All
   * workers of the table need the same limit, as one without it counts for nobody but itself.
   * @example { by: 'tenant_id', max: 2 }
   */
  readonly limit?:
    | {
        readonly max: number
        readonly by?: KeyColumn<DB[Table]> | readonly [KeyColumn<DB[Table]>, ...KeyColumn<DB[Table]>[]] | undefined
      }
    | undefined
  /**
   * Jobs of the same value run one after the other, in the order in which they were enqueued; one that is retried holds the line.
   * @example 'account_id'
   */
  readonly fifo?: KeyColumn<DB[Table]> | readonly [KeyColumn<DB[Table]>, ...KeyColumn<DB[Table]>[]] | undefined
  /** With `fifo`: a job that has failed for good lets the next begin (`continue`, default), or not until it is retried or deleted (`block`). */
  readonly onFailure?: 'continue' | 'block' | undefined
  /** Jobs are taken in turn from all values of a column that have any: who has many does not delay who has few. */
  readonly fairBy?: KeyColumn<DB[Table]> | readonly [KeyColumn<DB[Table]>, ...KeyColumn<DB[Table]>[]] | undefined
}

/** The options that go by keys, as they are given. */
interface GivenKeys {
  readonly limit?: unknown
  readonly fifo?: unknown
  readonly onFailure?: unknown
  readonly fairBy?: unknown
  readonly finished?: unknown
}

/**
 * How jobs are claimed by keys; undefined: they are taken as they come.
 * @throws WorkerOptionError
 */
export function keyed(
  { limit, fifo, onFailure, fairBy, finished }: GivenKeys,
  hold: 'lease' | 'transaction',
): Keyed | undefined {
  if (onFailure !== undefined && fifo === undefined)
    throw new WorkerOptionError('onFailure: says what becomes of the line of a job that failed; give fifo with it')
  if (onFailure === 'block' && finished === 'archive')
    throw new WorkerOptionError(
      "onFailure: 'block' needs the failed job in its table, and finished: 'archive' takes it out; leave one of both out",
    )
  if (limit === undefined && fifo === undefined && fairBy === undefined) return undefined
  if (hold === 'transaction')
    throw new WorkerOptionError(
      "hold: 'transaction' does not go with limit, fifo or fairBy: jobs that a transaction holds look pending, so nobody could count them; leave hold out",
    )
  const { max, by } = limit === undefined ? {} : limited(limit)
  const keys = Object.entries({ 'limit.by': by, fifo: columns(fifo, 'fifo'), fairBy: columns(fairBy, 'fairBy') })
  const [first, ...others] = keys.flatMap(([name, key]) => (key === undefined ? [] : [{ name, key }]))
  const other = others.find(({ key }) => key.join() !== first?.key.join())
  if (first !== undefined && other !== undefined)
    throw new WorkerOptionError(
      `${first.name} and ${other.name} go by other columns (${first.key.join()}, ${other.key.join()}): a worker goes from one key to the next, so give both the same`,
    )
  if (fifo !== undefined && by !== undefined)
    throw new WorkerOptionError('limit: with fifo one job of a key runs at a time; leave limit.by out')
  const order = fifo === undefined ? undefined : oneOf(['continue', 'block'], onFailure ?? 'continue', 'onFailure')
  return { by: first?.key ?? [], order, isFair: fairBy !== undefined, ...(by === undefined ? { total: max } : { max }) }
}

function limited(value: unknown): { readonly max: number; readonly by: readonly string[] | undefined } {
  if (typeof value !== 'object' || value === null)
    throw new WorkerOptionError(`limit: ${shown(value)} is invalid; give an object, as in { by: 'tenant_id', max: 2 }`)
  const { max, by, ...others } = value as { readonly max?: unknown; readonly by?: unknown } // each is checked
  const [unknown] = Object.keys(others)
  if (unknown !== undefined) throw new WorkerOptionError(`limit.${unknown}: no such option; there are max, by`)
  return { max: atLeast(1, max, 'limit.max', 'a whole number of jobs'), by: columns(by, 'limit.by') }
}

function columns(value: unknown, name: string): readonly string[] | undefined {
  if (value === undefined) return undefined
  const list: unknown[] = Array.isArray(value) ? value : [value]
  const isList = list.length > 0 && list.every((each) => typeof each === 'string') && new Set(list).size === list.length
  if (isList) return list as string[] // by that
  throw new WorkerOptionError(`${name}: ${shown(value)} is invalid; give a column, or a list of columns`)
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
