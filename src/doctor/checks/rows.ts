import type { TableName } from '../../schema/names.js'
import type { RowFacts } from '../facts/row-facts.js'
import { counted, figure, literal, period, shown } from '../figures.js'
import { type Check, finding } from '../finding.js'
import { lookedAt } from '../limits.js'

/** The rows of a table, and who is there to work them. */
export interface Worked extends RowFacts {
  readonly table: TableName
  /** Something of the table is paused: what is due may be meant to wait. */
  readonly isPaused: boolean
  /** So many workers are alive, as far as runners write that down; undefined: none does. */
  readonly workers: number | undefined
}

/** Whether due jobs wait for nobody: no worker is known to be alive, and none runs a job, as those without a runner write nothing down. */
export function isUnserved({ running, workers = 0 }: Pick<Worked, 'running' | 'workers'>): boolean {
  return running?.count === 0 && workers === 0
}

const unserved: Check<Worked> = (facts) => {
  const { table, pending, isPaused } = facts
  if (pending === undefined || pending.waiting === 0 || isPaused || !isUnserved(facts)) return undefined
  const { waiting, oldest } = pending
  return finding(
    'unserved-jobs',
    {
      what: `${counted(waiting, 'job', lookedAt)} of ${shown(table)} ${waiting === 1 ? 'has' : 'have'} waited to begin, the oldest for ${period((oldest ?? 0) / 1000)}, and none runs.`,
      why: 'Nobody works this table.',
      remedy:
        'Start a worker for it (createWorker), or look at the log of the one that should run: is its database this one?',
    },
    table,
  )
}

const unknown: Check<Worked> = ({ table, unknown: count }) =>
  count === undefined || count === 0
    ? undefined
    : finding(
        'unknown-status',
        {
          what: `Of the last ${figure(lookedAt)} jobs of ${shown(table)} that have ended ${figure(count)} ${count === 1 ? 'has' : 'have'} a status that is none of the seven.`,
          why: 'No worker claims them, and they are pruned as if they had ended.',
          remedy: `Set them to ${literal('job_status_not_started')}, or to what is meant; a CHECK on status keeps others out.`,
        },
        table,
      )

const unlooked: Check<Worked> = ({ table, unlooked: kinds }) =>
  kinds.length === 0
    ? undefined
    : finding(
        'not-examined',
        {
          what: `The ${kinds.join(', the ')} of ${shown(table)} were not looked at.`,
          why: 'No index leads to them, and to look would read the whole table.',
          remedy: 'Make the indexes that are missing, and examine once more.',
        },
        table,
      )

/** Of rows that wait for nobody, that no worker knows, or that were not looked at. */
export const rowChecks = [unserved, unknown, unlooked]
