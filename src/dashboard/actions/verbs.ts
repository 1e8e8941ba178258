import type { Kysely } from 'kysely'
import type { ShownState } from '../../observe/shown-state.js'
import { sqlState } from '../../pg/error-class.js'
import type { JobSelection } from '../../predicates/selected.js'
import type { BulkOptions } from '../../queue/bulk-options.js'
import { cancelJobs } from '../../queue/cancel.js'
import type { ChangedJobs } from '../../queue/changed-jobs.js'
import { deleteJobs } from '../../queue/delete.js'
import { rescheduleJobs } from '../../queue/reschedule.js'
import { retryJobs } from '../../queue/retry.js'
import type { JobColumns } from '../../schema/columns.js'
import { type JobDatabase, type Jobs, jobsOf } from '../../schema/job-database.js'
import type { Action } from '../access.js'
import { Refused } from '../answers.js'
import type { ListedTable } from '../options.js'

/** What can be done to jobs, one or many. */
export interface Verb {
  readonly action: Action
  readonly label: string
  readonly isDangerous?: boolean
  /** Jobs in which states it changes; others are left as they are. */
  readonly states: readonly ShownState[]
  /** What becomes of them, as a confirmation says it. */
  readonly what: string
  /** What has become of them: "3 jobs were ...". */
  readonly done: string
  /** What is asked besides. */
  readonly field?: Field
  readonly needsPriority?: boolean
  run(jobs: Jobs, selection: JobSelection<JobColumns>, options: BulkOptions, value: string): Promise<ChangedJobs>
}

interface Field {
  readonly label: string
  readonly placeholder: string
  readonly type: 'text' | 'number'
  readonly isNeeded: boolean
}

const ended: readonly ShownState[] = ['failed', 'timedOut', 'cancelled', 'succeeded']
const pending: readonly ShownState[] = ['due', 'scheduled', 'retrying']

export const verbs: readonly Verb[] = [
  {
    action: 'retry',
    label: 'Retry',
    states: [...ended, ...pending],
    what: 'run again from the first attempt, at once',
    done: 'retried',
    run: ({ db, name }, selection, options) => retryJobs(db, name, selection, options),
  },
  {
    action: 'run',
    label: 'Run now',
    states: pending,
    what: 'become due at once; their attempts stay counted',
    done: 'made due',
    run: ({ db, name }, selection, options) => rescheduleJobs(db, name, selection, { ...options, delay: 0 }),
  },
  {
    action: 'reschedule',
    label: 'Reschedule',
    states: pending,
    what: 'become due at another time',
    done: 'rescheduled',
    field: { label: 'Due in, or at', placeholder: '2h, or 2026-12-24 18:00+01', type: 'text', isNeeded: true },
    run: ({ db, name }, selection, options, value) =>
      rescheduleJobs(db, name, selection, { ...options, ...timeOf(value) }),
  },
  {
    action: 'prioritise',
    label: 'Priority',
    states: pending,
    what: 'take another priority: higher runs first',
    done: 'given the priority',
    field: { label: 'Priority', placeholder: '10', type: 'number', isNeeded: true },
    needsPriority: true,
    run: ({ db, name }, selection, options, value) =>
      rescheduleJobs(db, name, selection, { ...options, priority: numberOf(value) }),
  },
  {
    action: 'cancel',
    label: 'Cancel',
    isDangerous: true,
    states: ['running', ...pending],
    what: 'end as cancelled; the handlers of those that run are told',
    done: 'cancelled',
    field: { label: 'Why', placeholder: 'on request', type: 'text', isNeeded: false },
    run: ({ db, name }, selection, options, value) =>
      cancelJobs(db, name, selection, { ...options, ...(value !== '' && { reason: value }) }),
  },
  {
    action: 'delete',
    label: 'Delete',
    isDangerous: true,
    states: [...ended, ...pending],
    what: 'be deleted, with all that is known of them',
    done: 'deleted',
    run: ({ db, name }, selection, options) => deleteJobs(db, name, selection, options),
  },
]

/** @throws Refused */
export function verbCalled(name: string | null): Verb {
  const verb = verbs.find(({ action }) => action === name)
  if (verb === undefined) throw new Refused('Nothing was asked for')
  return verb
}

/** Those that are offered where jobs are in such a state, for a table with these columns. */
export function verbsFor(state: ShownState | undefined, columns: ReadonlySet<string>): Verb[] {
  return verbs.filter(
    ({ states, needsPriority }) =>
      (state === undefined || states.includes(state)) && (!needsPriority || columns.has('priority')),
  )
}

/** The handle of a listed table, to the verbs' types one that has every column that some verb may need. */
export const jobsFor = (db: Kysely<JobDatabase>, { name }: ListedTable): Jobs => jobsOf(db, name)

/** Why a verb does not take such a value: asked of no job, it only proves it. */
export async function flawOf(jobs: Jobs, { field, run }: Verb, value: string): Promise<string | undefined> {
  if (field === undefined) return undefined
  if (field.isNeeded && value === '') return `${field.label}: nothing was given`
  try {
    await run(jobs, { ids: [] }, {}, value)
    return undefined
  } catch (error) {
    if (error instanceof Refused || error instanceof RangeError || error instanceof TypeError) return error.message
    if (/^22/.test(sqlState(error) ?? '') && error instanceof Error) return error.message
    throw error
  }
}

const duration = /^\d+(?:\.\d+)?\s*(?:ms|s|m|h|d)$/

function timeOf(value: string) {
  const text = value.trim()
  return duration.test(text) ? { delay: text.replace(/\s/g, '') as '2h' } : { to: text } // it has that form
}

function numberOf(value: string): number {
  if (!/^-?\d+$/.test(value.trim()))
    throw new Refused(`A priority is a whole number: ${JSON.stringify(value.slice(0, 40))} is none`)
  return Number(value)
}
