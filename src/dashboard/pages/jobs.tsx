import type { Kysely } from 'kysely'
import { countMatching, type Matching } from '../../observe/count-matching.js'
import { CursorError } from '../../observe/cursor.js'
import { findJobs, type JobPage } from '../../observe/find-jobs.js'
import { shownStates } from '../../observe/shown-state.js'
import { countJobs } from '../../queue/count.js'
import { pausesToRead } from '../../queue/pauses.js'
import { type JobDatabase, jobsOf } from '../../schema/job-database.js'
import { Refused, tableFor } from '../answers.js'
import { type ListQuery, listAddress, listQuery } from '../list-query.js'
import { BulkBar } from '../parts/bulk-bar.js'
import { Filters } from '../parts/filters.js'
import { JobTable } from '../parts/job-table.js'
import { Empty, Notice } from '../parts/notice.js'
import type { Page, Params, Visit } from '../parts/page.js'
import { PausedNotice } from '../parts/paused.js'
import { StateTabs } from '../parts/states.js'
import { TableHead } from '../parts/tabs.js'
import { type SeenTable, seenTable } from '../seen-table.js'
import { address } from '../site.js'

/** The jobs of a table. @param flaw why what was asked for of them was refused */
export async function jobsPage(
  visit: Visit,
  db: Kysely<JobDatabase>,
  { table: name }: Params,
  flaw?: string,
): Promise<Page> {
  const listed = tableFor(visit, name)
  const seen = await seenTable(db, listed)
  const list = listQuery(seen.view, visit.query)
  const path = ['tables', listed.name]
  const counts = await countJobs(db, jobsOf(db, listed.name).name)
  const found = await jobsFor(db, seen, list)
  const matching = await matchingOf(db, seen, list, found)
  const pauses = (await pausesToRead(db, listed.name)) ?? []
  const main = (
    <>
      <TableHead visit={visit} table={listed} />
      <PausedNotice visit={visit} seen={seen} pauses={pauses} />
      <section class="sheet">
        <StateTabs visit={visit} path={path} list={list} counts={counts} />
        <Filters
          visit={visit}
          path={path}
          view={seen.view}
          list={list}
          matching={matching}
          error={found.jobs[0]?.error.text ?? undefined}
        />
        {/* Browsers put marks back by their places, which have other jobs when the page is loaded anew. */}
        <form method="post" action={address(visit.site, [...path, 'bulk'], listAddress(list))} autocomplete="off">
          {found.jobs.length === 0 ? (
            <NoJobs list={list} />
          ) : (
            <>
              {flaw !== undefined && <Notice tone="bad" title={flaw} />}
              <BulkBar visit={visit} seen={seen} list={list} matching={matching} />
              <JobTable visit={visit} seen={seen} list={list} jobs={found.jobs} />
            </>
          )}
        </form>
        <Pager visit={visit} path={path} list={list} found={found} />
      </section>
    </>
  )
  return { title: listed.title, main, live: list.flaws.length === 0 }
}

/** With a filter that means nothing there are none. */
async function jobsFor(db: Kysely<JobDatabase>, { view, columns }: SeenTable, list: ListQuery): Promise<JobPage> {
  const { state, filters, fingerprint, sort, after, before, flaws } = list
  if (flaws.length > 0) return { jobs: [], next: undefined, previous: undefined, looked: { at: 0, isAll: true } }
  const states = state === undefined ? undefined : [state]
  try {
    return await findJobs(db, view, { states, filters, fingerprint, sort, after, before, columns, limit: 50 })
  } catch (error) {
    if (error instanceof CursorError) throw new Refused(error.message)
    throw error
  }
}

/** How many there are on all pages of a list with filters; of errors of one kind their page tells it. */
async function matchingOf(
  db: Kysely<JobDatabase>,
  { view }: SeenTable,
  { state, filters, fingerprint, flaws }: ListQuery,
  { jobs, next, previous, looked }: JobPage,
): Promise<Matching | undefined> {
  if (filters.length === 0 || flaws.length > 0) return undefined
  if (next === undefined && previous === undefined) return { count: jobs.length, ...looked }
  if (fingerprint !== undefined) return undefined
  return countMatching(db, view, state === undefined ? shownStates : [state], filters)
}

function NoJobs({ list }: { readonly list: ListQuery }) {
  if (list.filters.length > 0 || list.flaws.length > 0 || list.fingerprint !== undefined)
    return <Empty title="No job matches">Take a filter away, or look at another state.</Empty>
  if (list.state !== undefined) return <Empty title="No job is in this state now" />
  return (
    <Empty title="There are no jobs yet">
      To enqueue is to insert a row: <code>await enqueue(db, table, values)</code>
    </Empty>
  )
}

interface PagerOf {
  readonly visit: Visit
  readonly path: readonly string[]
  readonly list: ListQuery
  readonly found: JobPage
}

function Pager({ visit, path, list, found: { next, previous, looked } }: PagerOf) {
  const to = (text: string, changes: Partial<ListQuery>) => (
    <a class="button" href={address(visit.site, path, listAddress(list, changes))}>
      {text}
    </a>
  )
  if (next === undefined && previous === undefined && looked.isAll) return null
  return (
    <nav class="pager" aria-label="Pages of the list">
      {previous !== undefined && to('← Newer page', { before: previous })}
      {next !== undefined && to('Next page →', { after: next })}
      {!looked.isAll && (
        <span class="quiet small">
          No index serves this list, so the {looked.at.toLocaleString('en')} nearest jobs of each status were looked at.
        </span>
      )}
    </nav>
  )
}
