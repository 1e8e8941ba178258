import type { Kysely } from 'kysely'
import { findJobs, type JobQuery } from '../../src/observe/find-jobs.js'
import type { FoundJob } from '../../src/observe/found-job.js'
import type { JobView } from '../../src/observe/view.js'

/** A job as tests tell it. */
export const toldAs = ({ id, isArchived }: Pick<FoundJob, 'id' | 'isArchived'>) =>
  `${id}${isArchived ? ' archived' : ''}`

/** All jobs of a list, page by page from its beginning, and back from its end. */
export async function allPages(
  db: Kysely<any>,
  view: JobView,
  query: JobQuery,
): Promise<{ forth: string[]; back: string[] }> {
  const forth: string[] = []
  const back: string[] = []
  let last: string | undefined
  for (let after: string | undefined, more = true; more; more = after !== undefined) {
    const page = await findJobs(db, view, { ...query, after })
    forth.push(...page.jobs.map(toldAs))
    last = after
    after = page.next
  }
  const end = await findJobs(db, view, { ...query, after: last })
  back.unshift(...end.jobs.map(toldAs))
  for (let before = end.previous; before !== undefined; ) {
    const page = await findJobs(db, view, { ...query, before })
    back.unshift(...page.jobs.map(toldAs))
    before = page.previous
  }
  return { forth, back }
}
