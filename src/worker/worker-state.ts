import type { Keyed } from '../queue/claim.js'
import type { WorkerLimit, WorkerState } from '../records/worker-state.js'
import type { TableName } from '../schema/names.js'
import type { WorkerHealth } from './health.js'
import type { Settings } from './options.js'

/** How a worker is, as its runner writes it down. */
export function workerState(id: string, table: TableName, settings: Settings, health: WorkerHealth): WorkerState {
  const { concurrency, lease, pollInterval, keyed, where } = settings
  const { state, running, leaseMargin, listener, paused, lastFetch } = health
  return {
    ...{ schema: table.schema, table: table.name, id, state, concurrency, running, lease },
    leaseMargin: leaseMargin && Math.round(leaseMargin),
    ...{ listener, pollInterval, paused, lastFetch, where: where !== undefined },
    total: keyed?.total,
    keyed: keyed && inWords(keyed),
    limit: keyed && limitOf(keyed),
  }
}

function limitOf({ by, max, total }: Keyed): WorkerLimit | undefined {
  if (max === undefined && total === undefined) return undefined
  const ofKey = max === undefined ? {} : { max: typeof max === 'number' ? max : null }
  return { by, ...ofKey, ...(total !== undefined && { total }) }
}

/** The options that go by keys. */
function inWords({ by, max, total, rate, totalRate, order, isFair }: Keyed): string {
  const of = ` by ${by.join(', ')}`
  const starts = rate ?? totalRate
  const words = [
    max !== undefined && `limit: ${typeof max === 'number' ? max : max.column}${of}`,
    total !== undefined && `limit: ${total}`,
    starts !== undefined && `rate: ${starts.max} in ${starts.per} ms${rate === undefined ? '' : of}`,
    order !== undefined && `fifo${of}${order === 'block' ? ', failures block' : ''}`,
    isFair === true && `fair${of}`,
  ]
  return words.filter((each) => each !== false).join('; ')
}
