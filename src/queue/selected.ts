import { hasIdIn } from '../predicates/rows.js'
import { isSelected } from '../predicates/selected.js'
import type { Jobs } from '../schema/job-database.js'
import type { JobSelection } from '../schema/selection.js'
import { ofLocked, toldOf } from './locked.js'

/** How a statement writes to the jobs of a selection. The user's condition knows the table as `job`, the statement does not. */
export function ofSelection<Row>(jobs: Jobs, selection: JobSelection<Row>) {
  if (selection.ids !== undefined) return { db: jobs.db, isLocked: hasIdIn(selection.ids) }
  const selected = jobs.db.selectFrom(jobs.asJob).where(isSelected(selection)).forNoKeyUpdate()
  return ofLocked(jobs, toldOf(jobs, selected))
}
