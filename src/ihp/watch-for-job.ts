import type { Kysely } from 'kysely'
import { identifyTable } from '../schema/identify.js'
import { jobsOf } from '../schema/job-database.js'
import type { JobTable } from '../schema/job-table.js'
import { channelName } from '../schema/names.js'
import type { ListenSource } from '../watch/listener.js'
import { JobWatch, type OnJob, type PollOptions } from './job-watch.js'

export interface WatchOptions extends PollOptions {
  /** Where to listen: a connection string, a pg config, or a pg Pool whose settings are used. */
  readonly listen: ListenSource
}

/**
 * The seed's `watchForJob`: calls back when a job may be available: at notifications, due times and polls. It does not
 * await a certain job. Claim until there is none: a hundred notifications may be one call. It makes no triggers, and it
 * looks after each LISTEN, so that no job falls between the two.
 *
 * @throws NoSuchTableError, DurationError
 * @example
 * await using watch = await watchForJob(db, 'send_mail_jobs', { listen: process.env.DATABASE_URL }, async () => {
 *   for (let job = await fetchNextJob(db, 'send_mail_jobs', { worker }); job; job = await fetchNextJob(...)) await run(job)
 * })
 */
export async function watchForJob<DB, Table extends keyof DB & string>(
  db: Kysely<DB>,
  table: JobTable<DB, Table>,
  options: WatchOptions,
  onJob: OnJob,
): Promise<JobWatch> {
  const channel = channelName(await identifyTable(db, table))
  return new JobWatch(jobsOf(db, table), onJob, options, [options.listen, channel])
}

/**
 * The seed's `pollForJob`: calls back when a job may be available. It looks at once, at each poll, and when the next
 * job is due. Claim until there is none: any number of jobs is one call.
 *
 * @throws DurationError
 * @example const poll = pollForJob(db, 'send_mail_jobs', { pollInterval: '60s' }, wakeMyWorkers)
 */
export function pollForJob<DB, Table extends keyof DB & string>(
  db: Kysely<DB>,
  table: JobTable<DB, Table>,
  options: PollOptions,
  onJob: OnJob,
): JobWatch {
  return new JobWatch(jobsOf(db, table), onJob, options)
}
