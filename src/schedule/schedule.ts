import type { Kysely } from 'kysely'
import { checkNewJob } from '../queue/new-job.js'
import type { JobDatabase } from '../schema/job-database.js'
import { type Jobs, jobsOf } from '../schema/job-database.js'
import type { ColumnKey, JobTable, NewJob, Queryable } from '../schema/job-table.js'
import { shown } from '../schema/shown.js'
import type { Missed } from './due-slots.js'
import { type KeptRecurrence, keptRecurrence, type Recurrence, ScheduleError } from './recurrence.js'

/** The values of a job that a schedule makes: those of any new job, but `scheduled_for`, which is the slot where it is left out. */
export type ScheduledJob<DB, Table extends keyof DB> = ButForSlot<
  NewJob<DB, Table>,
  ColumnKey<DB[Table], 'scheduled_for'>
>

type ButForSlot<Values, Slot> = Values extends unknown
  ? Slot extends keyof Values
    ? Omit<Values, Slot> & { readonly [Key in Slot]?: Values[Key] }
    : Values
  : never

/** What a schedule may be told beside its recurrence and its values. */
interface CommonOptions {
  /** What it is called: one of this name for each job table. */
  readonly name: string
  /**
   * What becomes of slots that came more than a minute ago, as no runner was there: `'once'` (default: one job for all of them), `'skip'` (none) or
   * `'all'`. Those of the last minute get a job each.
   */
  readonly missed?: Missed | undefined
  /** Passes a slot over while the last job of this schedule is unfinished. Default false. */
  readonly skipIfUnfinished?: boolean | undefined
}

/** A schedule added at run time: its values are kept in the database. */
export type KeptScheduleOptions<DB, Table extends keyof DB> = CommonOptions &
  Recurrence &
  ValuesOption<ScheduledJob<DB, Table>, ScheduledJob<DB, Table>>

/** A schedule declared in code: its values may be a function of the slot, called when the slot is fired. */
export type ScheduleOptions<DB, Table extends keyof DB> = CommonOptions &
  Recurrence &
  ValuesOption<ScheduledJob<DB, Table>, ScheduledJob<DB, Table> | ((slot: Date) => ScheduledJob<DB, Table>)>

/** They may be left out where no column has to be given. */
type ValuesOption<Job, Given> =
  Record<never, never> extends Job ? { readonly values?: Given | undefined } : { readonly values: Given }

/** A declared schedule: for the option `schedules` of `createRunner`. */
export interface Schedule {
  readonly name: string
  /** The job table, as it was named. */
  readonly table: string
  /** @internal */
  readonly jobs: Jobs
  /** @internal */
  readonly recurrence: KeptRecurrence
  /** @internal The values of the job of a slot. */
  readonly values: object | ((slot: Date) => object)
  /** @internal */
  readonly missed: Missed
  /** @internal */
  readonly skipIfUnfinished: boolean
}

/**
 * Declares recurring jobs of a table: a runner that is given it fires its slots, and each slot once, however many runners there
 * are. The migration of `createJobSchedules` makes the table in which their state is.
 *
 * @throws ScheduleError for an invalid recurrence, name or option; DurationError; NewJobError for values of columns that the queue manages
 * @example
 * const nightly = schedule(db, 'report_jobs', { name: 'nightly', cron: '0 3 * * *', timeZone: 'Europe/Berlin', values: { kind: 'daily' } })
 * await createRunner(db, { workers: [reports], schedules: [nightly] }).run()
 */
export function schedule<DB, Table extends keyof DB & string>(
  db: Queryable<DB>,
  table: JobTable<DB, Table>,
  options: ScheduleOptions<DB, Table>,
): Schedule {
  return scheduleOf(jobsOf(db, table), options)
}

/** The options as they come, whatever the table. */
interface GivenOptions extends CommonOptions {
  readonly values?: object | ((slot: Date) => object) | undefined
}

const optionNames: readonly string[] = ['name', 'cron', 'timeZone', 'every', 'values', 'missed', 'skipIfUnfinished']

const longestName = 200

/** @throws ScheduleError, DurationError, NewJobError */
export function scheduleOf(jobs: Jobs, options: GivenOptions & Recurrence): Schedule {
  const unknown = Object.keys(options).filter((name) => !optionNames.includes(name))
  if (unknown.length > 0) throw invalid(`${unknown.join(', ')}: no such option; there are ${optionNames.join(', ')}`)
  const { name, missed = 'once', skipIfUnfinished = false, values = {} } = options
  const isText = typeof name === 'string' && name !== '' && name.isWellFormed() && !name.includes('\0')
  if (!isText || name.length > longestName) {
    throw invalid(`name: ${shown(name)} is invalid; give a text of at most ${longestName} characters, as in 'nightly'`)
  }
  if (!['skip', 'once', 'all'].includes(missed)) {
    throw invalid(`missed: ${shown(missed)} is invalid; give 'skip', 'once' or 'all'`)
  }
  if (typeof skipIfUnfinished !== 'boolean') {
    throw invalid(`skipIfUnfinished: ${shown(skipIfUnfinished)} is invalid; give true or false`)
  }
  if (typeof values !== 'function' && (typeof values !== 'object' || values === null || Array.isArray(values))) {
    throw invalid(`values: ${shown(values)} is invalid; give the columns of the job, or a function of the slot`)
  }
  if (typeof values === 'object') checkNewJob(values, jobs.name, false)
  return { name, table: jobs.name, jobs, recurrence: keptRecurrence(options), values, missed, skipIfUnfinished }
}

/**
 * The values of the job of a slot.
 * @throws ScheduleError where the function gives none
 */
export function valuesAt({ values, name }: Pick<Schedule, 'values' | 'name'>, slot: Date): object {
  if (typeof values !== 'function') return values
  const made: unknown = values(new Date(slot)) // a copy, as it may be changed
  if (typeof made === 'object' && made !== null && !Array.isArray(made) && !(made instanceof Promise)) return made
  const given = made instanceof Promise ? 'a promise' : shown(made)
  throw invalid(
    `values: the function of the schedule ${shown(name)} gave ${given}; let it return the columns of the job`,
  )
}

/** The handle of a schedule's own plugins (schema, case), in another's transaction. */
export function withPluginsOf({ db }: Jobs, trx: Kysely<JobDatabase>): Kysely<JobDatabase> {
  return db.getExecutor().plugins.reduce((handle, plugin) => handle.withPlugin(plugin), trx.withoutPlugins())
}

const invalid = (text: string): ScheduleError => new ScheduleError('INVALID_SCHEDULE', text)
