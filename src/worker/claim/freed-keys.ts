import { isLimited } from '../../queue/claim.js'
import { tellWorkers } from '../../queue/notify.js'
import { ask } from '../ask.js'
import type { WorkerScope } from '../scope.js'

/** How long (milliseconds) it may take to tell it: a stop waits for it, and who is not told polls. */
const limit = 200

/**
 * Wakes the other workers of a limited table: jobs may begin where this worker is not going to claim any. Else whoever ends a job
 * claims the next one of its key itself.
 */
export async function tellOfFreedKeys({ jobs, table, settings }: WorkerScope): Promise<void> {
  if (settings.keyed === undefined || !isLimited(settings.keyed)) return
  const tell = (db: typeof jobs.db) => tellWorkers({ ...jobs, db }, table, { kind: 'due', in: 0 })
  await ask(jobs.db, limit, 'telling other workers', tell).catch(() => {}) // their poll finds them
}
