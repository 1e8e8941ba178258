import type { Kysely } from 'kysely'
import { findJobs, type JobPage, type JobQuery } from '../../observe/find-jobs.js'
import type { FoundJob } from '../../observe/found-job.js'
import type { JobView } from '../../observe/view.js'
import type { JobDatabase } from '../../schema/job-database.js'
import { type AskedJobs, filtersIn, statesIn } from '../open/asked-jobs.js'
import { looking, type Place, tableNamed, viewOf, withTables } from '../open/tables.js'
import { jsonText } from '../show/safe-text.js'
import { OptionError, type Terminal } from '../terminal.js'
import { jobValue } from './job-value.js'
import { jobsTable } from './jobs-table.js'

interface ListOptions extends Place, AskedJobs {
  readonly json?: boolean | undefined
  readonly utc?: boolean | undefined
  readonly table?: string | undefined
  readonly columns?: string | undefined
  readonly sort?: string | undefined
  readonly desc?: boolean | undefined
  readonly limit?: string | undefined
  readonly after?: string | undefined
}

const mostJobs = 10_000
const pageSize = 100

/** `kysely-jobs list` */
export async function list(options: ListOptions, terminal: Terminal, named: string | undefined): Promise<0> {
  const limit = limitIn(options)
  const states = statesIn(options)
  await withTables(options, terminal, async (opened) => {
    const table = tableNamed(opened, named ?? options.table)
    const found = await looking(opened, async (db, now) => {
      const view = await viewOf(db, table)
      const columns = options.columns?.split(',').map((name) => name.trim()) ?? table.columns
      const sort = options.sort === undefined ? undefined : { column: options.sort, descending: options.desc ?? false }
      const filters = filtersIn(view, options)
      const query = { states, filters, fingerprint: options.error, sort, columns, after: options.after }
      return { now, view, ...(await pages(db, view, query, limit)) }
    })
    const { jobs, next, looked } = found
    if (options.json) {
      const value = {
        table: table.written,
        jobs: jobs.map((job) => jobValue(found.view, job)),
        next: next ?? null,
        looked,
      }
      terminal.stdout.write(`${jsonText(value, 2)}\n`)
      return
    }
    const times = { now: found.now, isUtc: options.utc ?? false }
    terminal.stdout.write(jobs.length === 0 ? 'No job matches.\n' : jobsTable(jobs, times, terminal))
    if (!looked.isAll) terminal.stderr.write(`Of each status the latest ${looked.at} jobs were looked at.\n`)
    if (next !== undefined) terminal.stderr.write(`More: --after ${next}\n`)
  })
  return 0
}

/** @throws OptionError */
function limitIn({ limit = '50' }: ListOptions): number {
  const number = Number(limit)
  if (Number.isInteger(number) && number > 0 && number <= mostJobs) return number
  throw new OptionError(`--limit ${limit} is invalid: give 1 to ${mostJobs}`)
}

interface Pages extends Pick<JobPage, 'next' | 'looked'> {
  readonly jobs: readonly FoundJob[]
}

/** Page by page; where one has nothing, as it would have to look further, that is left to another call. */
async function pages(db: Kysely<JobDatabase>, view: JobView, query: JobQuery, limit: number): Promise<Pages> {
  const jobs: FoundJob[] = []
  let isAll = true
  let after = query.after
  for (;;) {
    const page = await findJobs(db, view, { ...query, after, limit: Math.min(pageSize, limit - jobs.length) })
    jobs.push(...page.jobs)
    isAll &&= page.looked.isAll
    const isEnough = jobs.length >= limit || page.jobs.length === 0 || page.next === undefined
    if (isEnough) return { jobs, next: page.next, looked: { at: page.looked.at, isAll } }
    after = page.next
  }
}
