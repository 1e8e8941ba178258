import { type Expression, type RawBuilder, sql } from 'kysely'
import { agedLevel, hasReached, inMicroseconds } from '../predicates/aging.js'
import { now } from '../predicates/clock.js'
import { column, job } from '../predicates/column.js'
import { inDueOrder, isDueAfter, isDueFrom, isDueUntil } from '../predicates/due-order.js'
import { isPending } from '../predicates/status.js'
import type { Jobs } from '../schema/job-database.js'
import { own } from '../schema/own-names.js'
import { agingOf, type Claim, type Since } from './claim.js'
import { dueOfAll, dueRows, nextRows } from './due-rows.js'
import { latest, levelSince, longestWaiting, mostLevels, withLevelSteps } from './priority-levels.js'

/**
 * The priorities that have due jobs, in the order in which their first jobs come; when those were due, the levels that they have
 * reached, and until when the jobs of the first priority are ahead of all others. And how many steps there were before.
 */
export interface Line {
  readonly priorities: readonly number[]
  readonly heads: readonly Date[]
  readonly levels: readonly number[]
  readonly steps: number
  readonly ahead: Date
}

/** A claim, with its aging in microseconds. */
interface Aged {
  readonly jobs: Jobs
  readonly claim: Claim
  readonly age: number
  readonly limit: number | Expression<number>
  readonly since?: Since | undefined
}

/**
 * A step that brings no job met those of other claims: after so many a claim goes along one priority alone, as fast as without aging.
 * Else one that is slower than the others take jobs goes through all that they have taken since it began (20 s, until its deadline).
 */
const mostVain = 50

const lineOf = (name: keyof Line) => sql.ref(`${own.line}.${name}`)
const [priorities, heads, levels] = [lineOf('priorities'), lineOf('heads'), lineOf('levels')]
const ahead = sql<Date>`${lineOf('ahead')}`
const ofFirst = job('priority', '=', sql<number>`${priorities}[1]`)
const step = sql.ref(own.step)
const level = sql.ref(own.level)

/**
 * The next rows to take, locked, where a due job gains a level with each `aging` (milliseconds) since its `run_at`. Within a
 * priority the order is that of `run_at` all the same, so this merges as many lines as there are priorities: it takes of the first
 * line the jobs that are ahead of the second's, looks up its next one by a step along the ready index, and so on, until there are
 * enough. However many levels are empty, none is visited.
 *
 * Measured as in test/queue/aging-plans.test.ts, by EXPLAIN: a claim of ten among 200,000 due jobs takes 152 to 162 buffers with one priority, 193 to
 * 262 with five, 998 to 1,063 with a hundred, 2,194 to 5,078 with a thousand, of which 150 write; whatever the aging. Each step takes 20 µs
 * with five priorities, 100 with a hundred.
 */
export function nextByAge(
  jobs: Jobs,
  claim: Claim,
  aging: number,
  given: { readonly limit: number | Expression<number>; readonly since?: Since | undefined },
) {
  const { limit, since } = given
  const aged = { jobs, claim, age: inMicroseconds(aging), limit, since }
  const lines = sql<Line>`(${firstLine(aged)} union all ${nextLine(aged)})`
  return withLevelSteps(jobs, since)
    .with(`${own.line}(priorities, heads, levels, steps, ahead)`, () => lines)
    .selectFrom(own.line)
    .innerJoinLateral(
      nextRows(jobs, claim, limit, isDueUntil(ahead))
        .where(isDueFrom(sql<Date>`${heads}[1]`))
        .where(ofFirst)
        .as(own.due),
      (join) => join.onTrue(),
    )
    .selectAll(own.due)
    .limit(limit)
}

/** As they are when nothing was taken: highest level first, and of one level the lowest priority, as its jobs have all waited longer. */
function firstLine(aged: Aged): RawBuilder<unknown> {
  const inOrder = (name: string) => sql`array_agg(${sql.ref(name)} order by level desc, priority)`
  return withAhead(
    aged,
    sql`select ${inOrder('priority')}, ${inOrder('head')}, ${inOrder('level')}, 0 from (
      select priority::bigint, head, ${agedLevel(sql`priority`, sql`head`, aged.age)} as level
      from (${firstOfPriorities(aged)}) as known) as known`,
  )
}

/** The same when what was ahead is taken: the first priority has gone to where its next job belongs, or out. */
function nextLine(aged: Aged): RawBuilder<unknown> {
  const first = sql`${priorities}[1]`
  const next = dueRows(aged.jobs, aged.claim, 1, isDueAfter(ahead)).select('run_at as head').where(ofFirst)
  const moved = (list: RawBuilder<unknown>, one: RawBuilder<unknown>) =>
    sql`${list}[2:place] || (array[${one}])[:(head is not null)::int] || ${list}[place + 1:]`
  return withAhead(
    aged,
    sql`select ${moved(priorities, first)}, ${moved(heads, sql`head`)}, ${moved(levels, sql`level`)}, ${lineOf('steps')} + 1
      from ${sql.ref(own.line)} left join lateral ${next} as next on true
      cross join lateral (select ${agedLevel(first, sql`head`, aged.age)} as level) as reached
      cross join lateral (
        select 1 + count(*)::int as place from unnest(${priorities}[2:], ${levels}[2:]) as other(priority, reached)
        where other.reached > level or (other.reached = level and other.priority < ${first})) as placed`,
  )
}

/** A line with the time until which the jobs of its first priority come before that of the second. */
function withAhead({ age, limit }: Aged, line: RawBuilder<unknown>): RawBuilder<unknown> {
  const [first, second] = [sql`priorities[1]`, sql`priorities[2]`]
  const reached = hasReached(sql`(levels[2] + (${first} > ${second})::int)`, first, age)
  const isAlone = sql`${second} is null or steps >= ${limit}::bigint + ${sql.lit(mostVain)}`
  return sql`
    select priorities, heads, levels, steps, case when ${isAlone} then ${now()} else greatest(heads[1], ${reached}) end
    from (${line}) as line(priorities, heads, levels, steps) where cardinality(priorities) > 0`
}

/**
 * Each priority and its first due job. Where there are more than are looked up one by one, the lower ones come from the due
 * jobs: of those that wait longest the first of a priority is its first of all.
 */
function firstOfPriorities({ jobs, claim, since }: Aged): RawBuilder<unknown> {
  const priority = sql.ref(`${own.level}.priority`)
  const first = dueRows(jobs, claim, 1, since && isDueFrom(levelSince(since)))
    .select('run_at as head')
    .where(job('priority', '=', sql<number>`${priority}`))
  const firstOf = (them: RawBuilder<unknown>) =>
    sql`select ${priority}, head from ${them} as ${level} cross join lateral ${first} as first`
  return sql`select priority, min(head) as head from (
    ${firstOf(sql`(select priority from ${step} where place > 0)`)}
    union all (${allDue(jobs, claim)
      .orderBy(inDueOrder(column('run_at')))
      .limit(longestWaiting)})
    union all ${firstOf(
      sql`${allDue(jobs, claim)
        .orderBy(inDueOrder(column('run_at')), 'desc')
        .limit(latest)}`,
    )}
  ) as found group by priority`
}

/** All due jobs where some are of lower priorities than the claim looks up one by one, and else none. */
function allDue(jobs: Jobs, claim: Claim) {
  const lower = jobs.db
    .selectFrom(jobs.table)
    .select('id')
    .where(isPending())
    .where(job('priority', '<', sql<number>`${step}.priority`))
  const isMore = sql<boolean>`exists (select from ${step} where place = ${sql.lit(mostLevels)} and exists ${lower})`
  return dueOfAll(jobs, claim).where(isMore).select(['priority', 'run_at'])
}

/** The level, as text, that a job has reached; undefined: its priority is all. */
export function levelText(claim: Claim): Expression<unknown> | undefined {
  const aging = agingOf(claim)
  if (aging === undefined) return undefined
  return sql`${agedLevel(column('priority'), column('run_at'), inMicroseconds(aging))}::text`
}
