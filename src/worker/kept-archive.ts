import { archiveJobs } from '../queue/archive.js'
import { keepArchive } from '../queue/keep-archive.js'
import { type FinalStatus, finalStatuses } from '../schema/statuses.js'
import { ask } from './ask.js'
import type { WorkerScope } from './scope.js'

/** The most jobs that are moved by one statement, and how long ago they must have ended: nobody else has them in hand. */
const chunkSize = 1000
const endedBefore = '1m'

/**
 * Has the partitions of the archive made and dropped, and moves jobs there that ended otherwise than by this worker's hand (a
 * rescue, a cancel), or were kept.
 * @param isStopped whether nothing more is to be sent
 * @returns whether there is more to do soon
 */
export async function keepArchiveOf(scope: WorkerScope, isStopped: () => boolean): Promise<boolean> {
  const { archive, jobs, settings, tell, report } = scope
  if (archive === undefined || isStopped()) return false
  try {
    const kept = archive.mayKeep
      ? await ask(jobs.db, settings.lease, 'keeping the archive', (db) => keepArchive({ ...jobs, db }, archive))
      : undefined
    const { made = [], dropped = [], misplaced = 0, busy = false } = kept ?? {}
    if (made.length + dropped.length + misplaced > 0) tell('archive', { made, dropped, misplaced, moved: 0 })
    const moved = await moveEnded(scope, isStopped)
    if (moved > 0) tell('archive', { made: [], dropped: [], misplaced: 0, moved })
    return busy || dropped.length > 0
  } catch (error) {
    report(error, 'keeping the archive')
    return false
  }
}

async function moveEnded({ jobs, settings, finished, report }: WorkerScope, isStopped: () => boolean): Promise<number> {
  const statuses = finalStatuses.filter((status) => goesToArchive(status, settings))
  if (finished.archive === undefined || statuses.length === 0) return 0
  let all = 0
  while (!isStopped()) {
    const options = { olderThan: endedBefore, statuses, limit: chunkSize } as const
    const move = (db: typeof jobs.db) => archiveJobs(db, jobs.name, options)
    const moved = await ask(jobs.db, settings.lease, 'moving jobs to the archive', move)
    const [refused] = moved.refused
    if (refused !== undefined) report(refused.error, `moving ${moved.refused.length} jobs to the archive`)
    all += moved.length
    if (moved.length === 0 || moved.length + moved.refused.length < chunkSize) break
  }
  return all
}

function goesToArchive(status: FinalStatus, { succeeded, finished }: WorkerScope['settings']): boolean {
  return (status === 'job_status_succeeded' ? succeeded : finished) === 'archive'
}
