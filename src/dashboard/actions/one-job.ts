import { type Changed, duplicateJob, editJob } from '../../observe/change-job.js'
import type { WantedJob } from '../../observe/one-job.js'
import type { JobView } from '../../observe/view.js'
import { retryJobs } from '../../queue/retry.js'
import { Forbidden, Missing, Refused, tableFor } from '../answers.js'
import { pageAgain } from '../made-page.js'
import { editable, editPage } from '../pages/edit.js'
import { wantedJob } from '../pages/job.js'
import { surePage } from '../pages/sure.js'
import { addressOfJob } from '../parts/job-address.js'
import type { Act } from '../parts/page.js'
import { seenTable } from '../seen-table.js'
import { logAction } from './log.js'
import { jobsFor } from './verbs.js'

/** Writes the columns of a job that were changed, and has it run again where that was asked for. */
export const actOnEdit: Act = async (visit, form, { table: name, id = '' }) => {
  const listed = tableFor(visit, name, 'edit')
  const { db } = visit.site
  const isRetry = form.get('retry') === 'yes'
  if (isRetry && !visit.viewer.may('retry', listed.name)) throw new Forbidden()
  const seen = await seenTable(db, listed)
  const wanted: WantedJob = wantedJob(visit, id)
  const changes = changesIn(seen.view, form)
  if (Object.keys(changes).length > 0) {
    const edited = await editJob(db, seen.view, wanted, changes)
    if (edited.refused !== undefined && edited.refused !== 'gone') {
      const typed = { form, error: edited.message }
      return pageAgain(visit, (now, trx) => editPage(now, trx, { table: name ?? '', id }, typed))
    }
    unlessRefused(edited)
    logAction(visit, { action: 'edit', table: listed.name, of: id, changed: 1 })
  }
  if (isRetry) {
    const jobs = jobsFor(db, listed)
    const { refused, length } = await retryJobs(jobs.db, jobs.name, { ids: [id] })
    for (const { error } of refused) throw new Refused(error instanceof Error ? error.message : String(error))
    logAction(visit, { action: 'retry', table: listed.name, of: id, changed: length })
  }
  const isArchived = !isRetry && wanted.isArchived === true
  return addressOfJob(visit, seen, { id, key: wanted.key ?? null, isArchived })
}

/** Those that differ from what the form began with. */
function changesIn(view: JobView, form: URLSearchParams): Record<string, string | null> {
  const changes: Record<string, string | null> = {}
  for (const { name } of editable(view)) {
    const given = form.get(`value:${name}`)
    if (given === null) continue
    const value = form.get(`null:${name}`) === 'yes' ? null : withoutReturns(given)
    const was = form.get(`was-null:${name}`) === 'yes' ? null : withoutReturns(form.get(`was:${name}`) ?? '')
    // Who types into a field that was null means what they typed.
    const meant = value === null && was === null && given !== '' ? withoutReturns(given) : value
    if (meant !== was) changes[name] = meant
  }
  return changes
}

/** Forms send each line end as two characters. */
const withoutReturns = (text: string) => text.replaceAll('\r\n', '\n')

/** Enqueues a job once more, when that is meant. */
export const actOnDuplicate: Act = async (visit, form, { table: name, id = '' }) => {
  const listed = tableFor(visit, name, 'duplicate')
  const seen = await seenTable(visit.site.db, listed)
  const wanted: WantedJob = wantedJob(visit, id)
  if (form.get('sure') !== 'yes') {
    const it = { id, key: wanted.key ?? null, isArchived: wanted.isArchived === true }
    return surePage({
      title: 'Enqueue a copy',
      from: { text: `Job ${id}`, href: addressOfJob(visit, seen, it) },
      what: `A new job of ${listed.title} with the own columns of this one would be due at once.`,
      action: addressOfJob(visit, seen, it, 'duplicate'),
      label: 'Enqueue a copy',
    })
  }
  const job = unlessRefused(await duplicateJob(visit.site.db, seen.whole, wanted))
  logAction(visit, { action: 'duplicate', table: listed.name, of: id, changed: 1 })
  return addressOfJob(visit, seen, { ...job, isArchived: false })
}

function unlessRefused({ job, refused, ...why }: Changed) {
  if (refused === 'gone') throw new Missing('job')
  if (job === undefined) throw new Refused('message' in why ? why.message : 'It was refused')
  return job
}
