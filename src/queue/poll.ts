import { type Expression, type SqlBool, sql } from 'kysely'
import { column, job } from '../predicates/column.js'
import { isLeaseExpired } from '../predicates/lease.js'
import { type Notice, notified } from '../predicates/notice.js'
import { isAmong } from '../predicates/rows.js'
import type { Duration } from '../schema/duration.js'
import { hasOthersElsewhere } from '../schema/engine.js'
import type { Jobs } from '../schema/job-database.js'
import { asJsonText, asText, textsOf } from '../schema/text.js'
import type { Claim } from './claim.js'
import { type RowKey, rowsOf } from './fenced.js'
import { nextDue } from './next-due.js'
import { type PausesPlace, pausesVersion } from './pauses.js'

/** A job table to look at. */
export interface PolledTable {
  readonly jobs: Jobs
  readonly lease: Duration
  /** What its workers may take. */
  readonly claim: Claim
  /** Asks only for jobs that are due from then on. */
  readonly since?: Date | undefined
  /** Leases that its workers hold as far as they know. */
  readonly held?: HeldLeases | undefined
  /** Where it is written what of the table is paused; undefined: not known. */
  readonly pauses?: PausesPlace | undefined
}

/** Rows that workers hold, and what any of these rows has as `locked_by` while they do. */
export interface HeldLeases {
  readonly leases: readonly RowKey[]
  readonly tokens: readonly string[]
}

/** What awaits a table's workers. */
export interface Polled {
  /** Milliseconds until the next job is due; null: none waits. */
  readonly due: number | null
  /** There is a job whose lease has expired. */
  readonly expired: boolean
  /** Of the leases that its workers hold as far as they know, some are not held: cancelled, or settled just now. */
  readonly lost: boolean
  /** Another text where something was paused or resumed; null: there is no table of pauses. */
  readonly pauses: string | null
}

/**
 * Looks at any number of tables of one database in one statement, so that an idle process with ten workers asks no
 * more often than one with a single worker. In the order of the tables.
 *
 * @param notices what it notifies on its way
 */
export async function pollTables(
  tables: readonly [PolledTable, ...PolledTable[]],
  notices: readonly Notice[] = [],
): Promise<Polled[]> {
  const [{ jobs }] = tables
  if (tables.some((table) => hasOthersElsewhere(table.jobs.home))) return pollElsewhere(tables, notices)
  return seenBy(jobs, [...tables.map(pollOf), ...notices.map((notice) => toldBy(jobs, notice))])
}

/**
 * On Citus what is paused is asked, and is told, by statements of their own: each goes to the node of its table, and a statement about tables
 * of several is planned in parts.
 */
async function pollElsewhere(
  tables: readonly [PolledTable, ...PolledTable[]],
  notices: readonly Notice[],
): Promise<Polled[]> {
  const [{ jobs }] = tables
  const polled = await seenBy(
    jobs,
    tables.map(({ pauses, ...table }, place) => pollOf(table, place)),
  )
  for (const notice of notices) await textsOf(jobs.db, toldBy(jobs, notice).compile())
  const seen: Polled[] = []
  for (const [place, table] of polled.entries()) {
    const { pauses } = tables[place] ?? {}
    const [version = null] = pauses === undefined ? [] : await versionOf(jobs, pauses)
    seen.push({ ...table, pauses: version })
  }
  return seen
}

function versionOf({ db }: Jobs, place: PausesPlace): Promise<(string | null)[]> {
  return textsOf(db, sql`select ${asText(pausesVersion(place))}`.compile(db.withoutPlugins()))
}

/** @param parts each by the plugins of its own handle, and all past any: those of one are none of another's */
async function seenBy({ db }: Jobs, parts: readonly Expression<unknown>[]): Promise<Polled[]> {
  const query = sql`${sql.join(parts, sql` union all `)}`.compile(db.withoutPlugins())
  const seen = (await textsOf(db, query)).map((text) => JSON.parse(text ?? '') as Seen) // made below
  const polled = seen.filter(([place]) => place >= 0).toSorted(([a], [b]) => a - b)
  return polled.map(([, due, ...seen]) => {
    const [expired, lost, pauses] = seen
    return { due: due === null ? null : Number(due), expired, lost, pauses }
  })
}

/**
 * The place of the table, milliseconds until the next job is due (as a text, since they may be infinite), whether a lease has
 * expired, whether one is lost, and the version of its pauses.
 */
type Seen = readonly [place: number, due: string | null, expired: boolean, lost: boolean, pauses: string | null]

/** A row that only notifies. */
function toldBy({ db }: Jobs, notice: Notice) {
  return db.selectNoFrom(asJsonText([job.lit(-1), job.lit(null), job(notified(notice), 'is', null)]))
}

function pollOf({ jobs, lease, claim, since, held, pauses }: PolledTable, place: number) {
  // Ordered by what the running index is ordered by: with stale statistics the table itself would be read.
  const expired = jobs.db
    .selectFrom(jobs.table)
    .select((eb) => eb.lit<boolean>(true).as('expired'))
    .where(isLeaseExpired(lease))
    .orderBy('locked_by')
    .limit(1)
    .$asScalar()
  const due = job.cast<string | null>(nextDue(jobs, claim, since), 'text')
  const version = pauses === undefined ? job.lit(null) : pausesVersion(pauses)
  return jobs.db.selectNoFrom(
    asJsonText([job.lit(place), due, job.fn.coalesce(expired, job.lit(false)), lostOf(jobs, held), version]),
  )
}

/** By the primary key: a few pages for each lease, and none where nothing runs. */
function lostOf(jobs: Jobs, held: HeldLeases = { leases: [], tokens: [] }): Expression<SqlBool> {
  if (held.leases.length === 0) return job.lit(false)
  const stillHeld = jobs.db
    .selectFrom(jobs.table)
    .select(job.fn.countAll<number>().as('held'))
    .where(isAmong(rowsOf(jobs, held.leases)))
    .where(job(column('locked_by'), '=', job.fn<string>('any', [job.val(held.tokens)])))
    .$asScalar()
  return job(stillHeld, '<', job.lit(held.leases.length))
}
