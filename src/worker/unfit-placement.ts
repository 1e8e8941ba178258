import { isLimited, type Keyed } from '../queue/claim.js'
import { realNames } from '../queue/returned.js'
import type { JobTableDescription } from '../schema/inspect.js'
import type { Jobs } from '../schema/job-database.js'
import { archives } from './known-table.js'
import { WorkerOptionError } from './option-values.js'
import type { Settings } from './options.js'

/**
 * Refuses what does not go where the table is: on one node of several, or spread over them.
 * @throws WorkerOptionError with the remedy
 */
export function refusePlacement(settings: Settings, { home, columns }: JobTableDescription, jobs: Jobs): void {
  const { placement, engine } = home
  const { keyed, hold } = settings
  if (placement.kind === 'local') return
  if (placement.kind === 'every node') {
    throw new WorkerOptionError(
      `${jobs.name} is a reference table, of which each node writes every job: undistribute_table('${jobs.name}') makes it one again that can be worked`,
    )
  }
  const where = placement.kind === 'distributed' ? `distributed by '${placement.by}'` : 'on a node of its own'
  if (keyed !== undefined && !isSpread(keyed, jobs)) {
    const fair = placement.kind === 'distributed' ? `; fairBy: '${placement.by}' goes without saying` : ''
    throw new WorkerOptionError(
      `limit, rate, fifo, fairBy: ${jobs.name} is ${where} (${engine.name} ${engine.version}), and jobs can be counted by keys only in a table that is local to the server which is asked${fair}. Leave the option out, or let a migration say: select undistribute_table('${jobs.name}')`,
    )
  }
  if (archives(settings)) {
    throw new WorkerOptionError(
      `succeeded, finished: 'archive': ${jobs.name} is ${where}, and only jobs of a table that is local to the server can be archived; keep or delete them`,
    )
  }
  if (placement.kind === 'distributed' && columns.get(placement.by) === 'boolean') {
    throw new WorkerOptionError(
      `${jobs.name} is ${where}, a boolean, by which ${engine.name} finds no node: distribute it by another column`,
    )
  }
  if (hold === 'transaction') {
    throw new WorkerOptionError(
      `hold: 'transaction': ${jobs.name} is ${where}, and only jobs of a table that is local to the server can be held so; leave the option out`,
    )
  }
}

/** Whether jobs are to be taken fairly by the column by which their table is spread anyway. */
function isSpread(keyed: Keyed, jobs: Jobs): boolean {
  return keyed.isFair === true && !isLimited(keyed) && realNames(jobs, keyed.by).join() === jobs.distributedBy
}
