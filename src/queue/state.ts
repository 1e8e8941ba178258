import { column, job } from '../predicates/column.js'
import type { Lease } from '../predicates/lease.js'
import { isAmong, placeIn } from '../predicates/rows.js'
import type { JobArchive } from '../schema/archive.js'
import type { JobId } from '../schema/columns.js'
import { type Jobs, jobsOf, realJobsOf } from '../schema/job-database.js'
import type { JobTable, ReadonlyQueryable } from '../schema/job-table.js'
import { workerOf } from '../schema/lease-token.js'
import type { JobStatus } from '../schema/statuses.js'
import { asJsonText, textsOf } from '../schema/text.js'
import { rowsOf } from './fenced.js'

/** Where a job stands. */
export interface JobState {
  readonly id: JobId
  readonly status: JobStatus
  readonly lastError: string | null
  /** The worker that holds it, and by which attempt. */
  readonly worker: string | null
  readonly attempt: number
}

/**
 * Where jobs stand now; those that are gone are left out.
 * @example const [state] = await jobStates(db, 'send_mail_jobs', [job.id]) // state?.status
 */
export async function jobStates<DB, Table extends keyof DB & string>(
  db: ReadonlyQueryable<DB>,
  table: JobTable<DB, Table>,
  ids: readonly JobId[],
): Promise<JobState[]> {
  const jobs = jobsOf(db, table)
  return [
    ...(
      await statesOf(
        jobs,
        ids.map((id) => ({ id })),
      )
    ).values(),
  ]
}

/** The same for whoever holds leases of them, by lease; of those that are gone, as the archive has them, if there is one. */
export async function statesOf<Held extends Pick<Lease, 'id' | 'key'>>(
  jobs: Jobs,
  leases: readonly Held[],
  archive?: JobArchive | undefined,
): Promise<Map<Held, JobState>> {
  const states = await statesIn(jobs, leases)
  const gone = archive === undefined ? [] : leases.filter((lease) => !states.has(lease))
  if (archive === undefined || gone.length === 0) return states
  return new Map([...states, ...(await statesIn(realJobsOf(jobs.db, archive.table, { key: jobs.key }), gone))])
}

async function statesIn<Held extends Pick<Lease, 'id' | 'key'>>(
  jobs: Jobs,
  leases: readonly Held[],
): Promise<Map<Held, JobState>> {
  const rows = rowsOf(jobs, leases)
  const [place, status] = [placeIn(rows), job.cast<string>(column('status'), 'text')]
  const stands = [place, status, column('last_error'), column('locked_by'), column('attempts_count')]
  const query = jobs.db
    .selectFrom(jobs.table)
    .select(asJsonText(stands))
    .where(isAmong(rows))
    .orderBy('updated_at')
    .compile()
  const states = new Map<Held, JobState>()
  for (const text of await textsOf(jobs.db, query)) {
    const [place, status, lastError, worker, attempt] = JSON.parse(text ?? '') as Stand // made above
    const lease = leases[place - 1] as Held // it is one of them
    states.set(lease, { id: lease.id, status, lastError, worker: worker === null ? null : workerOf(worker), attempt })
  }
  return states
}

type Stand = readonly [
  place: number,
  status: JobStatus,
  lastError: string | null,
  worker: string | null,
  attempt: number,
]
