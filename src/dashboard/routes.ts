import { actInBulk } from './actions/bulk.js'
import { actOnDuplicate, actOnEdit } from './actions/one-job.js'
import { actOnSchedule } from './actions/schedule.js'
import { actOnSteering } from './actions/steering.js'
import { editPage } from './pages/edit.js'
import { errorsPage } from './pages/errors.js'
import { jobPage } from './pages/job.js'
import { jobsPage } from './pages/jobs.js'
import { overviewPage } from './pages/overview.js'
import { runPage, stopRun } from './pages/run.js'
import { schedulesPage } from './pages/schedules.js'
import { statusesPage } from './pages/statuses.js'
import { steeringPage } from './pages/steering.js'
import type { Act, Show } from './parts/page.js'

interface Route {
  readonly path: string
  readonly show?: Show
  readonly act?: Act
}

export const routes: readonly Route[] = [
  { path: '/', show: overviewPage },
  { path: '/tables/:table', show: jobsPage },
  { path: '/tables/:table/errors', show: errorsPage },
  { path: '/tables/:table/steering', show: steeringPage, act: actOnSteering },
  { path: '/tables/:table/bulk', act: actInBulk },
  { path: '/tables/:table/jobs/:id', show: jobPage },
  { path: '/tables/:table/jobs/:id/edit', show: editPage, act: actOnEdit },
  { path: '/tables/:table/jobs/:id/duplicate', act: actOnDuplicate },
  { path: '/tables/:table/runs/:run', show: runPage, act: stopRun },
  { path: '/schedules', show: schedulesPage },
  { path: '/schedules/:table/:name', act: actOnSchedule },
  { path: '/statuses', show: statusesPage },
]
