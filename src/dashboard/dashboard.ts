import { jobsOf } from '../schema/job-database.js'
import type { Queryable } from '../schema/job-table.js'
import { BulkRuns } from './actions/runs.js'
import { appOf } from './app.js'
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
  const app = appOf({ db: jobsOf(db, '').db, settings, runs: new BulkRuns() })
  return async (request) => app.fetch(request)
}
