import { jobsOf } from '../schema/job-database.js'
import type { Queryable } from '../schema/job-table.js'
import { BulkRuns } from './actions/runs.js'
import { appOf } from './app.js'
import { Checkup } from './checkup.js'
import { type DashboardOptions, settingsOf } from './options.js'

/**
 * Pages that show job tables and steer them, as a function from requests to responses: for whatever app serves those.
 *
 * @throws DashboardOptionError without `tables` or `authorize`, and for an option that is unknown or invalid
 * @example app.all('/jobs/*', (c) => jobs(c.req.raw)) // where jobs = dashboard(db, { tables: ['mail_jobs'], basePath: '/jobs', authorize })
 */
export function dashboard<DB>(
  db: Queryable<DB>,
  options: DashboardOptions<DB>,
): (request: Request) => Promise<Response> {
  const settings = settingsOf(options)
  const jobs = jobsOf(db, '').db
  const app = appOf({ db: jobs, settings, runs: new BulkRuns(), checkup: new Checkup(jobs, settings.tables.values()) })
  return async (request) => app.fetch(request)
}
