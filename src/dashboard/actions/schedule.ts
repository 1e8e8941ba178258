import { pauseSchedule, removeSchedule, resumeSchedule, triggerSchedule } from '../../schedule/by-hand.js'
import { ScheduleError } from '../../schedule/recurrence.js'
import { jobsOf } from '../../schema/job-database.js'
import { Missing, Refused, tableFor } from '../answers.js'
import type { Act } from '../parts/page.js'
import { address } from '../site.js'
import { logAction } from './log.js'

const verbs = {
  trigger: triggerSchedule,
  pause: pauseSchedule,
  resume: resumeSchedule,
  remove: removeSchedule,
} as const

/** Runs a schedule now, pauses, resumes or removes it. */
export const actOnSchedule: Act = async (visit, form, { table, name = '' }) => {
  const listed = tableFor(visit, table, 'schedule')
  const { db } = visit.site
  const act = form.get('act')
  const verb = Object.entries(verbs).find(([known]) => known === act)?.[1]
  if (verb === undefined) throw new Refused('Nothing was asked for')
  try {
    await verb(db, jobsOf(db, listed.name).name, name)
  } catch (error) {
    if (error instanceof ScheduleError && error.code === 'NO_SUCH_SCHEDULE') throw new Missing('schedule')
    throw error
  }
  logAction(visit, { action: `${act} schedule`, table: listed.name, of: name })
  return address(visit.site, ['schedules'])
}
