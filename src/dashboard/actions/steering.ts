import { JobKeyError } from '../../queue/key-given.js'
import { limitJobs } from '../../queue/limit-jobs.js'
import { PauseOptionError, pauseJobs, resumeJobs } from '../../queue/pause.js'
import type { JobColumns } from '../../schema/columns.js'
import { type Duration, DurationError } from '../../schema/duration.js'
import { jobsOf } from '../../schema/job-database.js'
import type { JobKey } from '../../schema/key-column.js'
import { camelCase } from '../../schema/row.js'
import { SideTableError } from '../../schema/side-table.js'
import { Refused, tableFor } from '../answers.js'
import { pageAgain } from '../made-page.js'
import { steeringPage } from '../pages/steering.js'
import { keyIn } from '../parts/key.js'
import type { Act } from '../parts/page.js'
import { seenTable } from '../seen-table.js'
import { address } from '../site.js'
import { logAction } from './log.js'

/** Pauses or resumes a table or a key of it, or limits it. */
export const actOnSteering: Act = async (visit, form, { table: name }) => {
  const act = form.get('act') ?? ''
  const isLimit = act === 'limit' || act === 'unlimit'
  const listed = tableFor(visit, name, isLimit ? 'limit' : 'pause')
  const given = keyIn(form)
  if (given !== undefined) refuseHidden((await seenTable(visit.site.db, listed)).hidden, Object.keys(given))
  const where = given as JobKey<JobColumns> | undefined // own columns, checked where they are used
  const { db, name: table } = jobsOf(visit.site.db, listed.name)
  const [reason, until] = [form.get('reason')?.trim() || undefined, form.get('until')?.trim() || undefined]
  try {
    if (act === 'pause')
      await pauseJobs(db, table, { where, reason, until: until as Duration | undefined }) // checked there
    else if (act === 'resume') await resumeJobs(db, table, { where })
    else if (act === 'limit') await limitJobs(db, table, { where, max: maxIn(form) })
    else if (act === 'unlimit') await limitJobs(db, table, { where, max: undefined })
    else throw new Refused('Nothing was asked for')
  } catch (error) {
    if (!isRefusal(error)) throw error
    const typed = { form, error: error.message }
    return pageAgain(visit, (now, trx) => steeringPage(now, trx, { table: listed.name }, typed))
  }
  const of =
    given === undefined
      ? 'the table'
      : Object.entries(given)
          .map((pair) => pair.join('='))
          .join(', ')
  logAction(visit, { action: act, table: listed.name, of })
  return address(visit.site, ['tables', listed.name, 'steering'])
}

/** Nobody writes what they may not see. */
function refuseHidden(hidden: readonly string[], names: readonly string[]): void {
  const found = names.find((name) => hidden.some((each) => each === name || camelCase(each) === name))
  if (found !== undefined) throw new Refused(`${found} is hidden here: a key of it is paused or limited by code`)
}

function isRefusal(error: unknown): error is Error {
  return [Refused, JobKeyError, PauseOptionError, DurationError, SideTableError, TypeError].some(
    (kind) => error instanceof kind,
  )
}

function maxIn(form: URLSearchParams): number {
  const text = form.get('max') ?? ''
  if (!/^\d{1,10}$/.test(text)) throw new Refused(`At most: ${JSON.stringify(text.slice(0, 40))} is no whole number`)
  return Number(text)
}
