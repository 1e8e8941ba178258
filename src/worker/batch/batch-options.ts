import { atLeast, oneOf, WorkerOptionError } from '../option-values.js'
import { optionNames, refuseUnknown, type Settings, settingsOf, type WorkerOptions } from '../options.js'

/** As a worker's, but for `size`, how batches are held, and what is otherwise by default; durations in milliseconds or as `'30s'`. */
export interface BatchWorkerOptions<Job = object, Columns = undefined, Hold extends 'lease' | 'transaction' = 'lease'>
  extends Omit<WorkerOptions<Job, Columns>, 'concurrency' | 'hold' | 'holdFor' | 'timeout'> {
  /** The most jobs of a batch, at most 1,000: a batch has those that are due, and waits for no others. */
  readonly size: number
  /** How many batches run at once in this worker. Default 1. */
  readonly concurrency?: number | undefined
  /** How long a batch may run before its signal aborts and its jobs' attempts count as failed. Default: as long as it likes. */
  readonly timeout?: WorkerOptions['timeout']
  /**
   * How jobs are held while their batch runs: by a `'lease'` (default), or by a `'transaction'`, which the handler is given as
   * `trx`: what it writes there and the outcomes of its jobs commit together, or not at all. Each batch then takes a connection.
   */
  readonly hold?: Hold | undefined
  /**
   * With `hold: 'transaction'`: what becomes of a batch whose handler throws. `'retry'` (default): all its jobs are tried again
   * later. `'bisect'`: what it wrote is undone, and its halves are handled each in a transaction of its own, until the jobs that
   * make it throw are alone.
   */
  readonly onError?: (Hold extends 'transaction' ? 'retry' | 'bisect' : NothingToUndo) | undefined
}

/** What the compiler names where there is no transaction. */
interface NothingToUndo {
  readonly "onError needs hold: 'transaction'": never
}

const names = ['size', 'onError', ...optionNames.filter((name) => name !== 'holdFor')]

/** So many rows a fetch brings. */
const largestSize = 1_000

/**
 * Reads a batch worker's options.
 * @throws WorkerOptionError, DurationError naming the option, its value and the remedy
 */
export function batchSettingsOf(options: unknown): Settings {
  if (typeof options !== 'object' || options === null || Reflect.get(options, 'size') === undefined)
    throw new WorkerOptionError('size: give the most jobs of a batch, as in { size: 100 }')
  const { size, onError, concurrency = 1, ...others } = options as Readonly<Record<string, unknown>> // each is checked
  if (others.holdFor !== undefined)
    throw new WorkerOptionError('holdFor: a batch is held while its handler runs; give a timeout, or leave it out')
  refuseUnknown(options, names)
  const settings = settingsOf({ ...others, concurrency } as WorkerOptions<never, unknown>) // it checks each
  const batch = {
    size: atLeast(1, size, 'size', 'a whole number of jobs'),
    onError: oneOf(['retry', 'bisect'], onError ?? 'retry', 'onError'),
  }
  if (batch.size > largestSize)
    throw new WorkerOptionError(`size: ${batch.size} is invalid; give at most ${largestSize}`)
  if (batch.onError === 'bisect' && settings.hold === 'lease') {
    throw new WorkerOptionError(
      "onError: 'bisect' undoes what a batch wrote, so it needs hold: 'transaction'; by leases return an outcome for each job",
    )
  }
  return { ...settings, batch }
}
