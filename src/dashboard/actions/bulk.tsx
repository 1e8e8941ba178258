import type { Kysely } from 'kysely'
import { countMatching } from '../../observe/count-matching.js'
import { findJobs } from '../../observe/find-jobs.js'
import { reading } from '../../observe/reading.js'
import { selectionOf } from '../../observe/selection.js'
import { type ShownState, shownStates } from '../../observe/shown-state.js'
import type { JobSelection } from '../../predicates/selected.js'
import type { JobColumns } from '../../schema/columns.js'
import type { JobDatabase } from '../../schema/job-database.js'
import { ask } from '../../worker/ask.js'
import { Refused, tableFor } from '../answers.js'
import { type ListQuery, listAddress, listQuery } from '../list-query.js'
import { pageAgain } from '../made-page.js'
import { confirmPage, type Meant } from '../pages/confirm.js'
import { jobsPage } from '../pages/jobs.js'
import type { Act, Visit } from '../parts/page.js'
import { type SeenTable, seenTable } from '../seen-table.js'
import { address } from '../site.js'
import { logAction } from './log.js'
import type { BulkRun } from './runs.js'
import { flawOf, jobsFor, type Verb, verbCalled } from './verbs.js'

/** How long (milliseconds) counting may take. */
const countLimit = 5_000

const nothingMarked = 'No job was marked: mark some, or choose "all that match"'

/** Asks what a bulk action would do, and when it was said so does it. */
export const actInBulk: Act = async (visit, form, { table: name }) => {
  const verb = verbCalled(form.get('verb'))
  const listed = tableFor(visit, name, verb.action)
  const seen = await seenTable(visit.site.db, listed)
  const list = listQuery(seen.view, visit.query)
  if (list.flaws.length > 0) throw new Refused(list.flaws.join('. '))
  if (form.get('of') !== 'all' && !form.has('id')) {
    const shown = { ...visit, path: `/tables/${encodeURIComponent(listed.name)}` }
    return pageAgain(shown, (now, db) => jobsPage(now, db, { table: listed.name }, nothingMarked))
  }
  const meant = await meantBy(visit, form, seen, list, verb)
  if (form.get('sure') !== 'yes') return confirmPage(visit, meant)
  const value = form.get('value')?.trim() ?? ''
  const error = await flawOf(jobsFor(visit.site.db, listed), verb, value)
  return error === undefined ? begun(visit, value, meant) : confirmPage(visit, meant, { form, error })
}

async function meantBy(
  visit: Visit,
  form: URLSearchParams,
  seen: SeenTable,
  list: ListQuery,
  verb: Verb,
): Promise<Meant> {
  const ids = form.getAll('id')
  if (form.get('of') !== 'all')
    return { seen, list, verb, ids, count: { count: ids.length, isAll: true, at: ids.length } }
  const { filters, fingerprint } = list
  const states = statesOf(list, verb)
  const counting = async (db: Kysely<JobDatabase>) => ({
    count: await countMatching(db, seen.view, states, filters, fingerprint),
    error:
      fingerprint && (await findJobs(db, seen.view, { states, filters, fingerprint, limit: 1 })).jobs[0]?.error.text,
  })
  const { count, error } = await ask(visit.site.db, countLimit, 'counting', (db) => reading(db, countLimit, counting))
  return { seen, list, verb, ids: undefined, count, error: error ?? undefined }
}

/** Those of the list that the verb changes at all. @throws Refused where it changes none */
function statesOf({ state }: ListQuery, { states, label }: Verb): readonly ShownState[] {
  const changed = shownStates.filter((each) => states.includes(each) && (state === undefined || state === each))
  if (state !== undefined && changed.length === 0)
    throw new Refused(`${label}: jobs in the state ${state} are left alone`)
  return changed
}

/** Goes on behind its page, which says how far it is. */
function begun(visit: Visit, value: string, meant: Meant): string {
  const { seen, list, verb, ids } = meant
  const { site } = visit
  const selection: JobSelection<JobColumns> =
    ids === undefined ? selectionOf(seen.view, statesOf(list, verb), list.filters, list.fingerprint) : { ids }
  const table = seen.listed.name
  const of =
    ids === undefined
      ? listAddress(list)
          .map(([name, text]) => `${name}: ${text}`)
          .join(', ') || 'all'
      : `${ids.length} jobs`
  const run = site.runs.start(
    { verb: verb.label, done: verb.done, action: verb.action, table, back: backTo(visit, meant) },
    (onProgress, signal) => verb.run(jobsFor(site.db, seen.listed), selection, { onProgress, signal }, value),
    (changed) => logAction(visit, { action: verb.action, table, of, changed }),
  )
  return address(site, ['tables', table, 'runs', run.id])
}

/** To the list with its filters, or to the one job. */
function backTo({ site }: Visit, { seen, list, verb, ids }: Meant): BulkRun['back'] {
  const path = ['tables', seen.listed.name]
  const [id, ...others] = ids ?? []
  if (id !== undefined && others.length === 0 && verb.action !== 'delete')
    return { text: 'To the job', href: address(site, [...path, 'jobs', id]) }
  return { text: 'Back to the list', href: address(site, path, listAddress(list)) }
}
