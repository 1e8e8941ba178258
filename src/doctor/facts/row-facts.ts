import { type Expression, type SqlBool, sql } from 'kysely'
import { isClaimable, isDue } from '../../predicates/claimable.js'
import { millisecondsUntil } from '../../predicates/clock.js'
import { column } from '../../predicates/column.js'
import { inDueOrder } from '../../predicates/due-order.js'
import { partOfToken } from '../../predicates/interruption.js'
import { isLeaseExpired, isNotRenewed } from '../../predicates/lease.js'
import { isFinal, isPending, isRunning } from '../../predicates/status.js'
import { type Jobs, realJobsOf } from '../../schema/job-database.js'
import { leasePattern } from '../../schema/lease-token.js'
import { setLocally } from '../../schema/local-settings.js'
import { own } from '../../schema/own-names.js'
import { jobStatuses } from '../../schema/statuses.js'
import { asJsonText, textsOf } from '../../schema/text.js'
import { lookedAt, unservedAfter } from '../limits.js'
import type { Examined } from '../read.js'
import { serves } from './serving.js'
import type { TableFacts } from './table-facts.js'

/** What is found by looking at no more than {@link lookedAt} rows of each kind. */
export interface RowFacts {
  readonly running: Running | undefined
  readonly pending: Pending | undefined
  /** Rows among those that ended last whose status is none; undefined: the column holds no such. */
  readonly unknown: number | undefined
  /** Kinds that were not looked at, as no index leads to them. */
  readonly unlooked: readonly string[]
}

export interface Running {
  readonly count: number
  /** With `locked_by` or `locked_at` null. */
  readonly unlocked: number
  /** Whose lease ended long ago, and how long ago the oldest of them was renewed (milliseconds). */
  readonly expired: number
  readonly oldest: number | null
  /** The leases (milliseconds) of those that are held. */
  readonly leases: readonly number[]
}

export interface Pending {
  /** Due for long and free to be claimed, and for how long the oldest of them (milliseconds). */
  readonly waiting: number
  readonly oldest: number | null
  /** Due, and locked by somebody who has not renewed it. */
  readonly locked: number
  readonly usedUp: number
  /** With a `run_at` that never comes. */
  readonly infinite: number
  readonly undated: number
}

/** The lease of whoever does not say it in the row. */
const lease = '60s'

/** A table of so many bytes is read as it is, whatever indexes it has. */
const small = 8 * 2 ** 20

const settings = {
  ...{ transaction_read_only: 'on', statement_timeout: '5s', lock_timeout: '1s' },
  ...{ enable_seqscan: 'off', enable_bitmapscan: 'off', enable_sort: 'off', jit: 'off' },
}

/**
 * Looks at rows: never at more than a bound, along indexes. Without statistics the planner may take a scan of the table for cheaper; in this
 * transaction it is told not to.
 */
export async function readRows(db: Examined, facts: TableFacts): Promise<RowFacts> {
  return db.transaction().execute(async (trx) => {
    await setLocally(trx, facts.placement, settings)
    const jobs = realJobsOf(trx, facts.table)
    const [ready, due] = facts.wanted.filter(([name]) => /^job_(?:ready|due)_/.test(name))
    const [running, finished] = facts.wanted.filter(([name]) => /^job_(?:running|finished)_/.test(name))
    const isSmall = facts.parts.reduce((sum, { bytes }) => sum + bytes, 0) <= small
    const mayLook = (index = ready) => isSmall || (index !== undefined && serves(facts.catalog.indexes, index))
    const [looksRunning, looksPending] = [mayLook(running), mayLook(due ?? ready)]
    const looksEnded = holdsAny(facts) && mayLook(finished)
    return {
      running: looksRunning ? await runningOf(jobs) : undefined,
      pending: looksPending ? await pendingOf(jobs, facts) : undefined,
      unknown: looksEnded ? await unknownOf(jobs) : undefined,
      unlooked: [
        ...(looksRunning ? [] : ['running jobs']),
        ...(looksPending ? [] : ['jobs that wait']),
        ...(holdsAny(facts) && !looksEnded ? ['jobs that have ended'] : []),
      ],
    }
  })
}

/** Whether `status` is a text that nothing holds to the seven. */
function holdsAny({ catalog }: TableFacts): boolean {
  return (
    catalog.statusChecks.length === 0 &&
    catalog.columns.some(({ name, labels }) => name === 'status' && labels === null)
  )
}

async function runningOf(jobs: Jobs): Promise<Running> {
  const [by, at] = [column('locked_by'), column('locked_at')]
  const isUnlocked = sql<SqlBool>`(${by} is null or ${at} is null)`
  const reach = sql`${sql.lit(unservedAfter)} * interval '1 second'`
  const isLate = sql<SqlBool>`(${at} between now() - ${reach} and now() + ${reach}) is not true`
  const isGone = sql<SqlBool>`(${isLeaseExpired(lease)} and ${isLate} and not ${isUnlocked})`
  const looked = jobs.db
    .selectFrom(jobs.table)
    .select([
      isUnlocked.as('unlocked'),
      isGone.as('expired'),
      age(at).as('age'),
      sql`('x' || ${partOfToken(leasePattern)})::bit(32)::int8`.as('lease'),
    ])
    .where(isRunning())
    .orderBy(by, 'desc') // those without a holder come first
    .limit(lookedAt)
  return summary<Running>(jobs, looked, {
    count: sql`count(*)`,
    unlocked: sql`count(*) filter (where unlocked)`,
    expired: sql`count(*) filter (where expired)`,
    oldest: sql`max(age) filter (where expired)`,
    leases: sql`coalesce(json_agg(distinct lease) filter (where not expired and lease is not null), '[]')`,
  })
}

async function pendingOf(jobs: Jobs, { catalog }: TableFacts): Promise<Pending> {
  const has = (name: string) => catalog.columns.some((each) => each.name === name)
  const runAt = column('run_at')
  const order = has('priority') ? inDueOrder(runAt) : runAt
  const isOld = sql`${runAt} < now() - ${sql.lit(unservedAfter)} * interval '1 second'`
  const isUsedUp = has('max_attempts') ? sql`${column('attempts_count')} >= ${column('max_attempts')}` : sql`false`
  const first = jobs.db
    .selectFrom(jobs.table)
    .select([
      sql`${isClaimable(undefined, lease)} and ${isOld}`.as('waiting'),
      sql`${column('locked_by')} is not null and ${isDue()} and ${isNotRenewed(lease)}`.as('locked'),
      isUsedUp.as('used_up'),
      age(runAt).as('age'),
    ])
    .where(isPending())
    .orderBy(order)
    .limit(lookedAt)
  const last = jobs.db
    .selectFrom(jobs.table)
    .select([sql`${runAt} = 'infinity'`.as('infinite'), sql`${runAt} is null`.as('undated')])
    .where(isPending())
    .orderBy(order, 'desc')
    .limit(lookedAt)
  const early = await summary<Omit<Pending, 'infinite' | 'undated'>>(jobs, first, {
    waiting: sql`count(*) filter (where waiting)`,
    oldest: sql`max(age) filter (where waiting)`,
    locked: sql`count(*) filter (where locked)`,
    usedUp: sql`count(*) filter (where used_up)`,
  })
  const late = await summary<Pick<Pending, 'infinite' | 'undated'>>(jobs, last, {
    infinite: sql`count(*) filter (where infinite)`,
    undated: sql`count(*) filter (where undated)`,
  })
  return { ...early, ...late }
}

async function unknownOf(jobs: Jobs): Promise<number> {
  const known = sql.join(jobStatuses.map((status) => sql.lit(status)))
  const looked = jobs.db
    .selectFrom(jobs.table)
    .select(sql`${column('status')} not in (${known})`.as('is_unknown'))
    .where(isFinal())
    .orderBy(column('updated_at'), 'desc')
    .limit(lookedAt)
  const { unknown } = await summary<{ unknown: number }>(jobs, looked, {
    unknown: sql`count(*) filter (where is_unknown)`,
  })
  return unknown
}

/** Milliseconds since a time; null where that has no end. */
const age = (time: Expression<unknown>) => sql`case when isfinite(${time}) then -${millisecondsUntil(time)} end`

interface Looked {
  as(name: typeof own.counted): unknown
}

async function summary<Facts>(jobs: Jobs, looked: Looked, values: Record<keyof Facts & string, Expression<unknown>>) {
  const [text] = await textsOf(
    jobs.db,
    sql`select ${asJsonText(Object.values(values))} from ${looked.as(own.counted)}`.compile(jobs.db),
  )
  const given = JSON.parse(text ?? '[]') as unknown[] // just made
  return Object.fromEntries(Object.keys(values).map((name, place) => [name, given[place]])) as Facts // by the names asked for
}
