import type { ShownState } from '../../observe/shown-state.js'
import { cancelJobs } from '../../queue/cancel.js'
import { deleteJobs } from '../../queue/delete.js'
import { rescheduleJobs } from '../../queue/reschedule.js'
import { retryJobs } from '../../queue/retry.js'
import type { ExitCode } from '../cli-command.js'
import { lengthIn } from '../open/length.js'
import { timeIn } from '../open/moment.js'
import { OptionError, type Terminal } from '../terminal.js'
import { type BulkCommandOptions, inBulk } from './bulk.js'

type Run<Options> = (
  options: BulkCommandOptions & Options,
  terminal: Terminal,
  table: string | undefined,
) => Promise<ExitCode>

const ended: readonly ShownState[] = ['failed', 'timedOut', 'cancelled', 'succeeded']
const pending: readonly ShownState[] = ['due', 'scheduled', 'retrying']

/** `kysely-jobs retry` */
export const retry: Run<{ readonly delay?: string | undefined }> = (options, terminal, table) => {
  const delay = lengthIn(options.delay ?? '0s', '--delay')
  return inBulk(options, terminal, table, {
    ...{ name: 'retry', done: 'retried', states: [...ended, ...pending] },
    run: ({ db, name }, selection, more) => retryJobs(db, name, selection, { ...more, delay }),
    count: ({ db, name }, selection) => retryJobs(db, name, selection, { dryRun: true }),
  })
}

/** `kysely-jobs run` */
export const runNow: Run<unknown> = (options, terminal, table) =>
  inBulk(options, terminal, table, {
    ...{ name: 'run', done: 'made due now', states: pending },
    run: ({ db, name }, selection, more) => rescheduleJobs(db, name, selection, { ...more, delay: 0 }),
    count: ({ db, name }, selection) => rescheduleJobs(db, name, selection, { delay: 0, dryRun: true }),
  })

/** `kysely-jobs cancel` */
export const cancel: Run<{ readonly reason?: string | undefined }> = (options, terminal, table) => {
  const why = options.reason === undefined ? {} : { reason: options.reason }
  return inBulk(options, terminal, table, {
    ...{ name: 'cancel', done: 'cancelled', states: ['running', ...pending] },
    run: ({ db, name }, selection, more) => cancelJobs(db, name, selection, { ...more, ...why }),
    count: ({ db, name }, selection) => cancelJobs(db, name, selection, { dryRun: true }),
  })
}

/** `kysely-jobs delete` */
export const remove: Run<unknown> = (options, terminal, table) =>
  inBulk(options, terminal, table, {
    ...{ name: 'delete', done: 'deleted', states: [...ended, ...pending] },
    run: ({ db, name }, selection, more) => deleteJobs(db, name, selection, more),
    count: ({ db, name }, selection) => deleteJobs(db, name, selection, { dryRun: true }),
  })

/** `kysely-jobs reschedule` */
export const reschedule: Run<{ readonly to?: string | undefined; readonly priority?: string | undefined }> = (
  options,
  terminal,
  table,
) => {
  const when = whenIn(options)
  return inBulk(options, terminal, table, {
    ...{ name: 'reschedule', done: 'rescheduled', states: pending },
    run: ({ db, name }, selection, more) => rescheduleJobs(db, name, selection, { ...more, ...when }),
    count: ({ db, name }, selection) => rescheduleJobs(db, name, selection, { ...when, dryRun: true }),
  })
}

/** @throws OptionError */
function whenIn({ to, priority }: { readonly to?: string | undefined; readonly priority?: string | undefined }) {
  if (priority !== undefined && !/^[+-]?\d+$/.test(priority))
    throw new OptionError(`--priority ${priority} is invalid: give a whole number, higher runs first`)
  const level = priority === undefined ? {} : { priority: Number(priority) }
  if (to !== undefined) return { ...timeIn(to, '--to'), ...level }
  if (priority === undefined) throw new OptionError('To when? Give --to, or --priority')
  return { priority: Number(priority) }
}
