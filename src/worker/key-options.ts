import type { Keyed } from '../queue/claim.js'
import { type Duration, milliseconds } from '../schema/duration.js'
import { isQueueColumn } from '../schema/queue-column.js'
import { shown } from '../schema/shown.js'
import { atLeast, oneOf, WorkerOptionError } from './option-values.js'

/** The options that go by keys, as they are given. */
export interface GivenKeys {
  readonly limit?: unknown
  readonly rate?: unknown
  readonly fifo?: unknown
  readonly onFailure?: unknown
  readonly fairBy?: unknown
  readonly priorityAging?: unknown
  readonly finished?: unknown
}

/**
 * How jobs are claimed by keys; undefined: they are taken as they come.
 * @throws WorkerOptionError, DurationError
 */
export function keyed(given: GivenKeys, hold: 'lease' | 'transaction'): Keyed | undefined {
  const { limit, rate, fifo, onFailure, fairBy, priorityAging, finished } = given
  if (onFailure !== undefined && fifo === undefined)
    throw new WorkerOptionError('onFailure: says what becomes of the line of a job that failed; give fifo with it')
  if (onFailure === 'block' && finished === 'archive')
    throw new WorkerOptionError(
      "onFailure: 'block' needs the failed job in its table, and finished: 'archive' takes it out; leave one of both out",
    )
  if ([limit, rate, fifo, fairBy].every((option) => option === undefined)) return undefined
  if (hold === 'transaction')
    throw new WorkerOptionError(
      "hold: 'transaction' does not go with limit, rate, fifo or fairBy: jobs that a transaction holds look pending, so nobody could count them; leave hold out",
    )
  const most = limit === undefined ? {} : limited(limit)
  const starts = rate === undefined ? undefined : rated(rate)
  const by = oneKey({
    'limit.by': most.by,
    'rate.by': starts?.by,
    fifo: columns(fifo, 'fifo'),
    fairBy: columns(fairBy, 'fairBy'),
  })
  if (fifo !== undefined && most.by !== undefined)
    throw new WorkerOptionError('limit: with fifo one job of a key runs at a time; leave limit.by out')
  if (priorityAging !== undefined && by.length > 0)
    throw new WorkerOptionError(
      'priorityAging does not go with fifo, fairBy, limit.by or rate.by: who goes from one key to the next takes the jobs of each in an order of their own; leave one of both out',
    )
  return {
    by,
    order:
      fifo === undefined
        ? undefined
        : oneOf<'continue' | 'block'>(['continue', 'block'], onFailure ?? 'continue', 'onFailure'),
    isFair: fairBy !== undefined,
    ...(most.by === undefined ? { total: most.total } : { max: most.max }),
    ...(starts?.by === undefined ? { totalRate: starts?.rate } : { rate: starts.rate }),
  }
}

/** A worker goes from one key to the next, and so has one. */
function oneKey(keys: Readonly<Record<string, readonly string[] | undefined>>): readonly string[] {
  const [first, ...others] = Object.entries(keys).flatMap(([name, key]) => (key === undefined ? [] : [{ name, key }]))
  const other = others.find(({ key }) => key.join() !== first?.key.join())
  if (first === undefined || other === undefined) return first?.key ?? []
  throw new WorkerOptionError(
    `${first.name} and ${other.name} go by other columns (${list(first.key)}; ${list(other.key)}): a worker goes from one key to the next, so give both the same`,
  )
}

const list = (key: readonly string[]): string => key.map((name) => `'${name}'`).join(', ')

function limited(value: unknown): {
  readonly by?: readonly string[] | undefined
  readonly total?: number
  readonly max?: Keyed['max']
} {
  const { max, by, ...others } = object(value, 'limit', "{ by: 'tenant_id', max: 2 }")
  refuseOthers(others, 'limit', ['max', 'by'])
  const key = columns(by, 'limit.by')
  if (typeof max === 'string' && key === undefined)
    throw new WorkerOptionError(
      `limit.max: a column ('${max}') says how many jobs of its key may run; give limit.by with it`,
    )
  if (typeof max === 'string' && isQueueColumn(max))
    throw new WorkerOptionError(
      `limit.max: '${max}' is a column of the queue; give one of your own, which has the number of jobs`,
    )
  if (typeof max === 'string') return { by: key, max: { column: max } }
  const most = atLeast(1, max, 'limit.max', 'a whole number of jobs, or a column that has it')
  return key === undefined ? { total: most } : { by: key, max: most }
}

/** So many starts of one key in a millisecond are more than any server has. */
const mostInMillisecond = 1_000

function rated(value: unknown): {
  readonly by: readonly string[] | undefined
  readonly rate: NonNullable<Keyed['rate']>
} {
  const { max, per, burst, by, ...others } = object(value, 'rate', "{ by: 'tenant_id', max: 100, per: '1m' }")
  refuseOthers(others, 'rate', ['max', 'per', 'burst', 'by'])
  if (per === undefined)
    throw new WorkerOptionError("rate.per: is missing; give a duration, as in { max: 100, per: '1m' }")
  const starts = atLeast(1, max, 'rate.max', 'a whole number of starts')
  const time = milliseconds(per as Duration, 'rate.per') // which checks it
  if (time <= 0)
    throw new WorkerOptionError(
      `rate.per: ${shown(per)} is no time in which jobs could start; give a duration, as in { max: 100, per: '1m' }`,
    )
  if (starts / time > mostInMillisecond)
    throw new WorkerOptionError(
      `rate: ${starts} in ${shown(per)} is invalid; give at most ${mostInMillisecond} starts a millisecond`,
    )
  const atOnce = burst === undefined ? starts : atLeast(1, burst, 'rate.burst', 'a whole number of starts')
  return { by: columns(by, 'rate.by'), rate: { max: starts, per: time, burst: atOnce } }
}

function object(value: unknown, name: string, sample: string): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null) return { ...value }
  throw new WorkerOptionError(`${name}: ${shown(value)} is invalid; give an object, as in ${sample}`)
}

function refuseOthers(others: Readonly<Record<string, unknown>>, name: string, names: readonly string[]): void {
  const [unknown] = Object.keys(others)
  if (unknown === undefined) return
  throw new WorkerOptionError(`${name}.${unknown}: no such option; there are ${names.join(', ')}`)
}

function columns(value: unknown, name: string): readonly string[] | undefined {
  if (value === undefined) return undefined
  const list: unknown[] = Array.isArray(value) ? value : [value]
  const isList = list.length > 0 && list.every((each) => typeof each === 'string') && new Set(list).size === list.length
  const ofQueue = list.find((each) => isQueueColumn(String(each)))
  if (ofQueue !== undefined)
    throw new WorkerOptionError(`${name}: '${ofQueue}' is a column of the queue; a key is of columns of your own`)
  if (isList) return list as string[] // by that
  throw new WorkerOptionError(`${name}: ${shown(value)} is invalid; give a column, or a list of columns`)
}
