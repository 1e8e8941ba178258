import type { Jobs } from '../schema/job-database.js'
import { isLimited, type Keyed } from './claim.js'
import { realNames } from './returned.js'

/** Whether jobs are to be taken fairly by the column by which their table is spread anyway. */
export function isSpread(jobs: Jobs, keyed: Keyed): boolean {
  return keyed.isFair === true && !isLimited(keyed) && realNames(jobs, keyed.by).join() === jobs.distributedBy
}

/** Whether what is counted is of one value of that column each, and on one node. */
export function isWithinValue(jobs: Jobs, keyed: Keyed): boolean {
  if (keyed.total !== undefined || keyed.totalRate !== undefined) return false
  return !isLimited(keyed) || realNames(jobs, keyed.by).includes(jobs.distributedBy ?? '')
}
