import { pauseSchedule, removeSchedule, resumeSchedule, triggerSchedule } from '../../schedule/by-hand.js'
import { ScheduleError } from '../../schedule/recurrence.js'
import { jobsOf } from '../../schema/job-database.js'
import { Missing, Refused, tableFor } from '../answers.js'
import { surePage } from '../pages/sure.js'
import type { Act } from '../parts/page.js'
import { address } from '../site.js'
import { logAction } from './log.js'

const verbs = {
  trigger: triggerSchedule,
  pause: pauseSchedule,
  resume: resumeSchedule,
  remove: removeSchedule,
} as const

/** Those that are asked about first: what they do, of a schedule's jobs. */
const asked = {
  trigger: { label: 'Run now', what: 'A job of it would be made now, beside its slots.', isDangerous: false },
  remove: { label: 'Remove', what: 'It would make no more jobs; those that it has made stay.', isDangerous: true },
} as const

/** Runs a schedule now, pauses, resumes or removes it. */
export const actOnSchedule: Act = async (visit, form, { table, name = '' }) => {
  const listed = tableFor(visit, table, 'schedule')
  const { db } = visit.site
  const act = form.get('act') ?? ''
  const verb = Object.entries(verbs).find(([known]) => known === act)?.[1]
  if (verb === undefined) throw new Refused('Nothing was asked for')
  const question = Object.entries(asked).find(([known]) => known === act)?.[1]
  if (question !== undefined && form.get('sure') !== 'yes')
    return surePage({
      ...question,
      title: `${question.label}: ${name}`,
      from: { text: 'Schedules', href: address(visit.site, ['schedules']) },
      action: address(visit.site, ['schedules', listed.name, name]),
      fields: { act },
    })
  const job = await verb(db, jobsOf(db, listed.name).name, name).catch(missingIfNone)
  logAction(visit, { action: `${act} schedule`, table: listed.name, of: name })
  if (typeof job === 'object') return address(visit.site, ['tables', listed.name, 'jobs', String(job.id)])
  return address(visit.site, ['schedules'], act === 'trigger' ? [['asked', name]] : [])
}

function missingIfNone(error: unknown): never {
  if (error instanceof ScheduleError && error.code === 'NO_SUCH_SCHEDULE') throw new Missing('schedule')
  throw error
}
