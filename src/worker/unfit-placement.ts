import { isWithinValue } from '../queue/spread-keys.js'
import type { JobTableDescription } from '../schema/inspect.js'
import type { Jobs } from '../schema/job-database.js'
import { archives } from './known-table.js'
import { WorkerOptionError } from './option-values.js'
import type { Settings } from './options.js'

/**
 * Refuses what does not go where the table is: spread over nodes, or on each.
 * @throws WorkerOptionError with the remedy
 */
export function refusePlacement(settings: Settings, { home, columns }: JobTableDescription, jobs: Jobs): void {
  const { placement, engine } = home
  const { keyed, hold } = settings
  if (placement.kind === 'every node') {
    throw new WorkerOptionError(
      `${jobs.name} is a reference table, of which each node writes every job: undistribute_table('${jobs.name}') makes it one again that can be worked`,
    )
  }
  if (placement.kind !== 'distributed') return
  const { by } = placement
  const where = `distributed by '${by}'`
  if (keyed !== undefined && !isWithinValue(jobs, keyed)) {
    const given = keyed.by.length === 0 ? 'over all jobs' : `by ${keyed.by.map((name) => `'${name}'`).join(', ')}`
    throw new WorkerOptionError(
      `limit, rate, fifo: ${jobs.name} is ${where} (${engine.name} ${engine.version}), so that jobs can be counted only by keys that have '${by}', and here they are ${given}. Add the column to the key, leave the option out, or let a migration say: select undistribute_table('${jobs.name}')`,
    )
  }
  if (archives(settings)) {
    throw new WorkerOptionError(
      `succeeded, finished: 'archive': ${jobs.name} is ${where}, and only jobs of a table whose rows are on one server can be archived; keep or delete them`,
    )
  }
  if (columns.get(by) === 'boolean') {
    throw new WorkerOptionError(
      `${jobs.name} is ${where}, a boolean, by which ${engine.name} finds no node: distribute it by another column`,
    )
  }
  if (hold === 'transaction') {
    throw new WorkerOptionError(
      `hold: 'transaction': ${jobs.name} is ${where}, and only jobs of a table whose rows are on one server can be held so; leave the option out`,
    )
  }
}
