import type { Expression, SqlBool } from 'kysely'
import { type Condition, conditionOf } from '../predicates/condition.js'
import type { Duration } from '../schema/duration.js'
import type { OptionalColumn } from '../schema/job-table.js'
import type { AnyKey, CountColumn, KeyBy, SomeKey } from '../schema/key-column.js'
import { shown } from '../schema/shown.js'
import { positive, WorkerOptionError } from './option-values.js'

/** Which jobs of its table a worker takes; `By` and `Line` are the columns that are named, by which the compiler says what is wrong with them. */
export interface ClaimOptions<
  DB,
  Table extends keyof DB,
  By extends SomeKey = AnyKey<DB[Table]>,
  Line extends SomeKey = AnyKey<DB[Table]>,
> {
  /**
   * Only jobs of this condition are this worker's: over the columns of the table, which is called `job` in it. It is asked again with
   * each look, so a job that changes may become another worker's until it is claimed. Leases that expire are any worker's to rescue.
   * @example (eb) => eb('region', '=', 'eu')
   */
  readonly where?: Condition<DB, Table> | undefined
  /**
   * At most so many running jobs of the table, or of each value of a column, over all workers: never more, whatever happens. All
   * workers of the table need the same limit, as one without it counts for nobody but itself. `max` may be a column that has the number (0 or less: none);
   * `limitJobs` gives single values another one.
   * @example { by: 'tenant_id', max: 2 }
   */
  readonly limit?:
    | { readonly max: number; readonly by?: undefined }
    | {
        readonly max: number | CountColumn<DB[Table]>
        readonly by: KeyBy<DB[Table], By>
      }
    | undefined
  /**
   * At most so many starts in so long, of all jobs or of each value of a column, over all workers. What was not used is kept up to `burst`
   * (default: `max`), which may start at once: in any time there are no more starts than the burst and what comes to that time. By the
   * table that `createJobLimits` makes.
   * @example { by: 'tenant_id', max: 100, per: '1m', burst: 10 }
   */
  readonly rate?:
    | {
        readonly max: number
        readonly per: Duration
        readonly burst?: number | undefined
        readonly by?: KeyBy<DB[Table], By> | undefined
      }
    | undefined
  /**
   * Jobs of the same value run one after the other, in the order in which they were enqueued; one that is retried holds the line.
   * @example 'account_id'
   */
  readonly fifo?: KeyBy<DB[Table], Line> | undefined
  /** With `fifo`: a job that has failed for good lets the next begin (`continue`, default), or not until it is retried or deleted (`block`). */
  readonly onFailure?: OnFailureOf<Line> | undefined
  /** Jobs are taken in turn from all values of a column that have any: who has many does not delay who has few. */
  readonly fairBy?: KeyBy<DB[Table], By> | undefined
  /**
   * A due job counts one level of `priority` more for each so long that it has waited since its `run_at`, so that none waits for ever.
   * Default: its priority alone counts.
   * @example '10m'
   */
  readonly priorityAging?: AgingOf<DB[Table]> | undefined
}

type OnFailureOf<Line> = [Line] extends [never] ? "needs the column of the line: fifo: '...'" : 'continue' | 'block'

type AgingOf<Row> = 'priority' extends OptionalColumn<Row> ? Duration : 'the table has no column priority'

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

/** @throws WorkerOptionError, DurationError */
export function aging(value: unknown): number | undefined {
  return value === undefined ? undefined : positive(value as Duration, 'priorityAging') // checked there
}
