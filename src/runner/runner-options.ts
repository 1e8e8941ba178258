import type { Kysely } from 'kysely'
import type { Keyed } from '../queue/claim.js'
import type { Schedule } from '../schedule/schedule.js'
import type { Duration } from '../schema/duration.js'
import { shown } from '../schema/shown.js'
import type { WorkerEvent, WorkerEvents } from '../worker/events.js'
import type { WorkerHealth } from '../worker/health.js'
import type { Logger } from '../worker/logger.js'
import type { WorkerObserver } from '../worker/observer.js'
import { processShare } from '../worker/process-share.js'
import type { Kept } from './caretaker.js'
import type { Recorded } from './records/record.js'
import type { Scheduling, Undeclared } from './scheduler.js'

/** What a runner needs of a worker, whatever its table. */
export interface RunnableWorker extends Kept, Scheduling, Recorded {
  /** By which keys it claims; undefined: it takes jobs as they come. */
  readonly keyed?: Keyed | undefined
  start(options?: { readonly retry?: boolean | undefined }): Promise<void>
  stop(options?: { readonly deadline?: Duration | undefined }): Promise<{ readonly left: number }>
  health(): WorkerHealth
  /** @internal Sees its work from within; to be set before it starts. */
  observer?: WorkerObserver | undefined
  on<Name extends WorkerEvent>(name: Name, listener: (payload: WorkerEvents<never>[Name][0]) => void): unknown
}

export interface RunnerOptions {
  /** What to start and to stop together. */
  readonly workers: readonly RunnableWorker[]
  /**
   * The recurring jobs that this code declares, by `schedule(...)`: all that there are for these tables, as `undeclared` says.
   * Default: it declares none, and leaves those that other code declares alone.
   */
  readonly schedules?: readonly Schedule[] | undefined
  /**
   * What becomes, at the start, of schedules that code declared for the tables of these workers and schedules, and that are not in
   * `schedules` any more: `'remove'` (default), or `'keep'`, where other programs declare schedules for the same tables: then the log tells.
   */
  readonly undeclared?: Undeclared | undefined
  /**
   * How long hours of the history are kept, where there is the table that `createJobHistory` makes; minutes are kept for two days. `false`: this
   * runner writes none. Default 30 days.
   */
  readonly history?: Duration | false | undefined
  /** How long handlers may run on after the first signal. Default 30 s. */
  readonly deadline?: Duration | undefined
  /** Pino's shape, for what the runner itself tells: of schedules. Default: warnings and errors to the console. */
  readonly logger?: Logger | undefined
}

/** Options no runner can work with. */
export class RunnerOptionError extends RangeError {
  override readonly name = 'RunnerOptionError'
  readonly code = 'INVALID_OPTION'
}

const optionNames: readonly string[] = ['workers', 'schedules', 'undeclared', 'history', 'deadline', 'logger']

/** @throws RunnerOptionError */
export function checkRunnerOptions<DB>(db: Kysely<DB>, options: RunnerOptions): void {
  const { workers, schedules = [], undeclared = 'remove' } = options ?? {}
  if (!Array.isArray(workers) || (workers.length === 0 && schedules.length === 0))
    throw new RunnerOptionError(
      'workers: give at least one worker, as in { workers: [mail] }, or schedules, as in { workers: [], schedules: [nightly] }',
    )
  const unknown = Object.keys(options).filter((name) => !optionNames.includes(name))
  if (unknown.length > 0)
    throw new RunnerOptionError(`${unknown.join(', ')}: no such option; there are ${optionNames.join(', ')}`)
  if (undeclared !== 'remove' && undeclared !== 'keep')
    throw new RunnerOptionError(`undeclared: ${shown(undeclared)} is invalid; give 'remove' or 'keep'`)
  const stranger = workers.find((worker) => processShare(worker.db) !== processShare(db))
  if (stranger !== undefined) {
    throw new RunnerOptionError(
      `workers: the worker of ${stranger.table} was created with another Kysely; give one runner the workers of one`,
    )
  }
  checkSchedules(db, schedules)
}

function checkSchedules<DB>(db: Kysely<DB>, schedules: readonly Schedule[]): void {
  if (!Array.isArray(schedules) || schedules.some((each) => each?.jobs === undefined))
    throw new RunnerOptionError(
      'schedules: give what schedule(db, table, options) returns, as in { schedules: [nightly] }',
    )
  const names = new Set<string>()
  for (const { jobs, table, name } of schedules) {
    if (processShare(jobs.db) !== processShare(db))
      throw new RunnerOptionError(
        `schedules: ${shown(name)} of ${table} was declared with another Kysely; give one runner those of one`,
      )
    const key = JSON.stringify([table, name])
    if (names.has(key)) throw new RunnerOptionError(`schedules: ${shown(name)} of ${table} is declared twice`)
    names.add(key)
  }
}
