import type { PausedKey } from '../queue/paused-keys.js'
import type { Rescued } from '../queue/rescue.js'
import { columnValue } from '../schema/row.js'
import type { ListenerState } from '../watch/shared-listener.js'
import { type Logger, silent } from './logger.js'
import type { Settings } from './options.js'
import type { AbortReason } from './run/abort-reason.js'

interface OfAttempt<Job> {
  readonly job: Job
  /** The attempt's number, from 1. */
  readonly attempt: number
}

/** Of attempts whose handler was called. */
interface OfRun<Job> extends OfAttempt<Job> {
  /**
   * Milliseconds from when the job was due until its handler began: from `run_at` to the claim by the database's clock,
   * from there on by this process' own. Undefined where the driver gives timestamps that are no dates.
   */
  readonly wait?: number | undefined
  /** Milliseconds that the handler ran until its outcome was decided. */
  readonly duration?: number | undefined
  /** Of the span around its handler, where the worker is traced (kysely-jobs/otel). */
  readonly traceId?: string
}

/** What of a worker's jobs is paused. */
interface PausedBy {
  readonly by: 'worker' | 'table' | 'key'
  readonly where?: PausedKey
}

/**
 * What a worker tells, after it is so: an outcome's event follows its commit. Each has one payload.
 * `error` is never needed: without a listener for it nothing is thrown.
 */
export interface WorkerEvents<Job> {
  started: [{ readonly worker: string }]
  /** Rows were claimed. `took`: milliseconds from when they were asked for. */
  claimed: [{ readonly jobs: readonly Job[]; readonly took: number }]
  succeeded: [OfRun<Job>]
  /** An attempt failed and another follows. */
  retry: [OfRun<Job> & { readonly error: string }]
  failed: [OfRun<Job> & { readonly error: string }]
  /** The last attempt timed out. */
  timedOut: [OfRun<Job> & { readonly error: string }]
  snoozed: [OfRun<Job> & { readonly delay: number }]
  /** By its handler, or while it ran by others; `reason` as they said it. */
  cancelled: [OfRun<Job> & { readonly reason: string }]
  /** As if it had not been claimed: at a stop, or as it would have waited here. */
  released: [OfRun<Job>]
  /** The row was no longer this attempt's; whatever the handler did was not written. */
  lost: [OfAttempt<Job> & { readonly reason: AbortReason; readonly traceId?: string }]
  /** Jobs were taken over from workers that are gone. */
  rescued: [{ readonly jobs: readonly Rescued[] }]
  /** The listener's state changed; anything but `listening` means that polling does the work. */
  listener: [{ readonly state: ListenerState; readonly reason?: Error }]
  /**
   * There is nothing to do for this worker now: no job is due that it may begin, none of its own runs, and every outcome is written. Jobs that
   * a limit, a rate, a line or the pause of a key holds back may be due; while the table or the worker is paused it is not told. Told each
   * time that a look finds it so.
   */
  idle: [Record<never, never>]
  /** From now on no job begins here: of the worker, as `pause()` was called, of its table, or of a key, whose columns are in `where`. */
  paused: [PausedBy & { readonly reason?: string; readonly until?: Date }]
  /** They begin again; but while something else is paused that they are of. */
  resumed: [PausedBy]
  /** Partitions of the table's archive were made or dropped; jobs have none but the default one (so many or more), or were moved there by a runner. */
  archive: [
    {
      readonly made: readonly string[]
      readonly dropped: readonly string[]
      readonly misplaced: number
      readonly moved: number
    },
  ]
  /** An error the worker lives through, and while doing what. */
  error: [{ readonly error: unknown; readonly doing: string }]
  stopped: [{ readonly left: number }]
}

export type WorkerEvent = keyof WorkerEvents<unknown>

/** All that are told as they are; an error is logged by whoever meets it. */
export type ToldEvent = Exclude<WorkerEvent, 'error'>

/** The level of each event's line, one a line; what is no routine by its payload alone is a warning. */
const levels: Readonly<Record<ToldEvent, keyof Logger>> = {
  started: 'info',
  claimed: 'debug',
  succeeded: 'debug',
  retry: 'warn',
  failed: 'warn',
  timedOut: 'warn',
  snoozed: 'debug',
  cancelled: 'info',
  released: 'debug',
  lost: 'warn',
  rescued: 'warn',
  listener: 'info',
  idle: 'debug',
  paused: 'info',
  resumed: 'info',
  archive: 'info',
  stopped: 'info',
}

const misplacedText =
  'jobs ended when the archive had no partition for them, and are in its default one: let a runner, or keepJobArchive, run at least once in the time of a few partitions'

/** Whether lines are logged of an event that is routine. */
export function isLogged({ logger }: LogSettings, name: ToldEvent): boolean {
  return logger[levels[name]] !== silent
}

/** The log line of an event: the job by its id and attempt, never its payload; an error by its text. */
export function log({ logger, describeError }: LogSettings, table: string, name: ToldEvent, payload: object): void {
  const level = isTroubling(name, payload) ? 'warn' : levels[name]
  if (logger[level] === silent) return
  const { job, jobs, reason, traceId, ...facts } = payload as LoggedPayload // of one of those events
  const id = job !== undefined && { id: columnValue(job, 'id') }
  const count = jobs !== undefined && { jobs: jobs.length }
  const trace = traceId !== undefined && { trace_id: traceId }
  const why = reason !== undefined && { reason: typeof reason === 'string' ? reason : describeError(reason, job) }
  logger[level]({ table, ...id, ...count, ...facts, ...why, ...trace }, `${table}: ${sentence(name, payload)}`)
}

/** A listener that can't listen, and handlers that a stop left behind: by their payload alone they are no routine. */
function isTroubling(name: ToldEvent, payload: object): boolean {
  if (name === 'listener') return 'reason' in payload
  if (name === 'archive') return 'misplaced' in payload && payload.misplaced !== 0
  return name === 'stopped' && 'left' in payload && payload.left !== 0
}

type LogSettings = Pick<Settings, 'logger' | 'describeError'>

/** What is known of the payload of every event that is logged. */
interface LoggedPayload {
  readonly job?: object
  readonly jobs?: readonly unknown[]
  readonly traceId?: string
  readonly reason?: Error | string
}

function sentence(name: ToldEvent, payload: object): string {
  const { jobs = [] } = payload as LoggedPayload // of one of those events
  if (name === 'rescued') return `rescued ${jobs.length} jobs of workers that are gone`
  if (name === 'claimed') return `claimed ${jobs.length} jobs`
  if (name === 'idle') return 'nothing is due'
  if (name === 'archive')
    return isTroubling(name, payload) ? misplacedText : 'partitions of the archive made or dropped, or jobs moved there'
  if ((name === 'paused' || name === 'resumed') && 'by' in payload) return `${String(payload.by)} ${name}`
  if (name === 'listener' && 'state' in payload) return `listener ${String(payload.state)}`
  if (name === 'timedOut') return 'job timed out'
  return (name === 'started' || name === 'stopped' ? 'worker ' : 'job ') + name
}
