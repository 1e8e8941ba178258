import { type Expression, type SqlBool, sql } from 'kysely'
import { isClaimable, isDue } from '../predicates/claimable.js'
import { column, job } from '../predicates/column.js'
import { inDueOrder } from '../predicates/due-order.js'
import { hasStatus, isFinal, isPending, isRunning, statusLiteral } from '../predicates/status.js'
import { type JobArchive, readableArchiveOf } from '../schema/archive.js'
import { readCatalog } from '../schema/catalog.js'
import { type Home, homeOf } from '../schema/engine.js'
import { findTable, type Lookup, writtenName } from '../schema/identify.js'
import { type Jobs, jobsOf } from '../schema/job-database.js'
import type { JobTable, ReadonlyQueryable } from '../schema/job-table.js'
import { quotedName } from '../schema/names.js'
import { own } from '../schema/own-names.js'
import { finalStatuses, type JobStatus, jobStatuses, pendingStatuses } from '../schema/statuses.js'
import { asJsonText, textsOf } from '../schema/text.js'
import { archivedJobs } from './archive.js'
import { type Pause, pausesToRead } from './pauses.js'
import { readTableFacts, type TableFacts } from './table-facts.js'

/** Jobs of a kind are counted one by one up to here: more are enough to know. */
export const countBound = 10_000

/** How many jobs there are, how good each number is, and what of them is paused. */
export interface JobCounts extends Numbers {
  /** The whole table is paused: nothing of what is due begins. */
  readonly paused: boolean
  /** What is paused, the table or keys of it; undefined: this role may not read it. */
  readonly pauses: readonly Pause[] | undefined
}

/** How many jobs there are, and how good each number is: exact, unless `atLeast` or `estimated` names it. */
interface Numbers {
  /** Jobs by status. */
  readonly statuses: Readonly<Record<JobStatus, number>>
  /** Jobs that a worker could claim now. */
  readonly due: number
  /** Pending jobs whose time is to come: those that have failed before, and those that have not. As good as the numbers of their statuses. */
  readonly retrying: number
  readonly scheduled: number
  /** Numbers that are so many or more: counting stopped at {@link countBound}. */
  readonly atLeast: readonly (JobStatus | 'due')[]
  /** Numbers that come from the planner's statistics, some percent off and of the time when these were made. */
  readonly estimated: readonly JobStatus[]
  /** Milliseconds since ANALYZE or autovacuum made those statistics; null: nothing is estimated, or the time is not known. */
  readonly statisticsAge: number | null
  /** Whether all of the numbers are exact. */
  readonly exact: boolean
}

export interface CountOptions {
  /** Count every row, however many. Default false. */
  readonly exact?: boolean
}

/**
 * Counts for people, at a cost that does not grow with the table: what waits, runs or has failed is counted exactly up
 * to 10,000 of a kind, by the indexes of createJobIndexes; what has ended otherwise, and what is beyond, is estimated. Jobs in
 * the table's archive count as what they are: ended; not by a role that may not read it.
 *
 * @example
 * const { statuses, atLeast } = await countJobs(db, 'mail_jobs')
 * const failed = `${statuses.job_status_failed}${atLeast.includes('job_status_failed') ? ' or more' : ''}`
 */
export async function countJobs<DB, Table extends keyof DB & string>(
  db: ReadonlyQueryable<DB>,
  table: JobTable<DB, Table>,
  options: CountOptions = {},
): Promise<JobCounts> {
  const catalog = await catalogOf(jobsOf(db, table).db, table)
  const jobs = jobsOf(db, table, { home: catalog?.home })
  const bound = options.exact ? Number.POSITIVE_INFINITY : countBound
  const facts = await readTableFacts(jobs.db, quotedName(writtenName(jobs.db, table)))
  const counts = await countIn(jobs, kindsOf(facts, bound), facts, bound)
  const [archive, pauses] = [catalog?.archive, await pausesToRead(jobs.db, table)]
  const paused = { paused: pauses?.some(({ where }) => where === undefined) ?? false, pauses }
  if (archive === undefined) return { ...counts, ...paused }
  const { known, ...ofArchive } = await readTableFacts(jobs.db, quotedName(archive.table))
  const estimated = { ...ofArchive, known, estimates: known.size === 0 ? undefined : known }
  const archived = await countIn(archivedJobs(jobs, archive), kindsOfArchive(known, bound), estimated, bound)
  return { ...together(counts, archived), ...paused }
}

/** Not by `inspectJobTable`, as a table that lacks something is counted all the same. */
async function catalogOf(
  db: Lookup,
  table: string,
): Promise<{ readonly home: Home; readonly archive: JobArchive | undefined } | undefined> {
  const name = await findTable(db, writtenName(db, table))
  const catalog = name && (await readCatalog(db.withoutPlugins(), name))
  return catalog && { home: await homeOf(db, name, catalog), archive: readableArchiveOf(catalog, name, 'queue') }
}

async function countIn(jobs: Jobs, kinds: readonly Kind[], facts: TableFacts, bound: number): Promise<Numbers> {
  const [first, ...others] = kinds.map((kind, place) => countOf(jobs, kind, place, bound))
  const query = first && others.reduce((all, one) => all.unionAll(one), first).compile()
  const texts = query === undefined ? [] : await textsOf(jobs.db, query)
  const rows = texts.map((text) => JSON.parse(text ?? '') as Counted) // made below
  return countsOf(kinds, rows, facts, bound)
}

/** Those of a table and its archive, which has only jobs that have ended. */
function together(some: Numbers, archived: Numbers): Numbers {
  const entries = jobStatuses.map((status) => [status, some.statuses[status] + archived.statuses[status]])
  const ended: ReadonlySet<JobStatus> = new Set(finalStatuses)
  const estimated = new Set([...some.estimated, ...archived.estimated.filter((status) => ended.has(status))])
  const atLeast = new Set([...some.atLeast, ...archived.atLeast])
  const ages = [some, archived].filter((counts) => counts.estimated.some((status) => estimated.has(status)))
  const isDated = ages.length > 0 && ages.every(({ statisticsAge }) => statisticsAge !== null)
  return {
    statuses: Object.fromEntries(entries) as Record<JobStatus, number>, // all seven
    ...{ due: some.due, retrying: some.retrying, scheduled: some.scheduled },
    atLeast: [...atLeast],
    estimated: [...estimated],
    statisticsAge: isDated ? Math.max(...ages.map(({ statisticsAge }) => statisticsAge ?? 0)) : null,
    exact: atLeast.size + estimated.size === 0,
  }
}

/** Jobs that are counted together, by one index. */
interface Kind {
  readonly statuses: readonly JobStatus[]
  readonly rows: Expression<SqlBool>
  /** As the index is ordered: else, with stale statistics, the table itself would be read. */
  readonly order?: Expression<unknown>
}

const endedOf = (estimates: TableFacts['estimates']): number =>
  finalStatuses.reduce((sum, status) => sum + (estimates?.get(status) ?? 0), 0)

/** Of an archive: all in it where they are not too many, and by themselves those that did not succeed, by their index. */
function kindsOfArchive(known: TableFacts['known'], bound: number): Kind[] {
  const unsuccessful = finalStatuses.filter((status) => status !== 'job_status_succeeded')
  const rows = job('status', '<>', statusLiteral('job_status_succeeded'))
  return [
    ...(endedOf(known) <= bound ? [{ statuses: finalStatuses, rows: isFinal() }] : []),
    ...(bound < Number.POSITIVE_INFINITY ? [{ statuses: unsuccessful, rows, order: column('status') }] : []),
  ]
}

/**
 * All that have ended are counted only where the statistics don't say that these are too many; statistics of long ago may
 * say that none are, so those that failed are counted by themselves where they have an index.
 */
function kindsOf({ byPriority, hasFailedIndex, estimates }: TableFacts, bound: number): Kind[] {
  const runAt = column('run_at')
  const failed = ['job_status_failed', 'job_status_timed_out'] as const
  const ofEnded = { statuses: finalStatuses, rows: isFinal(), order: column('updated_at') }
  const ofFailed = { statuses: failed, rows: hasStatus(failed), order: column('status') }
  return [
    { statuses: pendingStatuses, rows: isPending(), order: byPriority ? inDueOrder(runAt) : runAt },
    { statuses: ['job_status_running'], rows: isRunning(), order: column('locked_by') },
    ...(endedOf(estimates) <= bound ? [ofEnded] : []),
    ...(hasFailedIndex && bound < Number.POSITIVE_INFINITY ? [ofFailed] : []),
  ]
}

/** How many jobs of a kind have a status, how many of these could be claimed, and how many have a time that has come. */
type Counted = readonly [kind: number, status: JobStatus, count: number, due: number, timely: number]

function countOf({ db, table }: Jobs, { rows, order }: Kind, place: number, bound: number) {
  const counted = db
    .selectFrom(table)
    .select(['status', sql<boolean>`${isClaimable()}`.as('claimable'), sql<boolean>`${isDue()}`.as('timely')])
    .where(rows)
    .$if(bound < Number.POSITIVE_INFINITY, (query) => (order === undefined ? query : query.orderBy(order)).limit(bound))
  const counts = [sql`count(*)`, sql`count(*) filter (where claimable)`, sql`count(*) filter (where timely)`]
  return db
    .selectFrom(counted.as(own.counted))
    .select(asJsonText([sql.lit(place), sql`status::text`, ...counts]))
    .groupBy('status')
}

function countsOf(kinds: readonly Kind[], rows: readonly Counted[], facts: TableFacts, bound: number): Numbers {
  const estimateOf = (status: JobStatus) => facts.estimates?.get(status) ?? 0
  const entries = jobStatuses.map((status) => [status, estimateOf(status)])
  const statuses = Object.fromEntries(entries) as Record<JobStatus, number> // all seven
  const atLeast = new Set<JobStatus | 'due'>()
  const estimated = new Set(jobStatuses)
  for (const [place, kind] of kinds.entries()) {
    const counted = rows.filter(([of]) => of === place)
    const isWhole = sum(counted.map(([, , count]) => count)) < bound
    for (const status of kind.statuses) {
      const count = counted.find(([, of]) => of === status)?.[2] ?? 0
      if (isWhole || facts.estimates === undefined || count > estimateOf(status)) {
        statuses[status] = count
        estimated.delete(status)
        atLeast[isWhole ? 'delete' : 'add'](status)
      }
    }
  }
  const timelyOf = (...of: JobStatus[]) => sum(rows.map(([, status, , , timely]) => (of.includes(status) ? timely : 0)))
  if (timelyOf(...pendingStatuses) >= bound) atLeast.add('due')
  const later = (status: JobStatus) => Math.max(0, statuses[status] - timelyOf(status))
  return {
    statuses,
    due: sum(rows.map(([, , , due]) => due)),
    ...{ retrying: later('job_status_retry'), scheduled: later('job_status_not_started') },
    atLeast: [...atLeast],
    estimated: [...estimated],
    statisticsAge: estimated.size === 0 ? null : facts.age,
    exact: atLeast.size + estimated.size === 0,
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((all, number) => all + number, 0)
}
