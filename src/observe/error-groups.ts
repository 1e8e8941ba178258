import { type Kysely, type RawBuilder, sql } from 'kysely'
import { job } from '../predicates/column.js'
import { statusLiteral } from '../predicates/status.js'
import type { JobDatabase } from '../schema/job-database.js'
import { own } from '../schema/own-names.js'
import { asText, textsOf } from '../schema/text.js'
import { fingerprintOf, firstLine, messageOf, withoutDigits } from './error-text.js'
import { lookedAt } from './narrow.js'
import { looked, sizesQuery } from './page.js'
import type { ShownState } from './shown-state.js'
import { steadily } from './steadily.js'
import { type Stream, streamsOf } from './stream.js'
import type { JobView } from './view.js'

/** The states of jobs whose last error tells what is wrong; of those that are due, it does so of retries. Each is looked at by itself: of any there may be many. */
const failingStates: readonly (readonly ShownState[])[] = [['failed', 'timedOut'], ['retrying'], ['due']]

/** Jobs whose last errors are of one kind. */
export interface ErrorGroup {
  /** By which `findJobs`, `countMatching` and `selectionOf` know its jobs. */
  readonly fingerprint: string
  /** The first line, with placeholders for what is each job's own. */
  readonly message: string
  /** The first line of the latest of them. */
  readonly example: string
  readonly count: number
  /** How many have failed, or timed out, for good; the others will be tried again. */
  readonly failed: number
  readonly retrying: number
  /** When the first and the last of these jobs failed: ISO 8601, of UTC. */
  readonly firstSeen: string
  readonly lastSeen: string
  /** How many of them failed in each of the last 24 hours, the present one last. */
  readonly hours: readonly number[]
}

/** What fails, the most frequent first. */
export interface ErrorGroups {
  readonly groups: readonly ErrorGroup[]
  /** How many more groups there are. */
  readonly others: number
  /**
   * Whether all jobs that fail were looked at, or of each status, in each table, only the latest `at`; or not all of their errors, where
   * thousands differ in more than numbers.
   */
  readonly looked: { readonly at: number; readonly isAll: boolean }
}

const met = sql.id(own.isMet)

const mostGroups = 100

/** So many lines are brought to their messages, the latest first: each takes 0.1 ms. */
const mostLines = 5000
const hours = Array.from({ length: 24 }, (_, n) => 23 - n)

type Told = readonly [
  ...[fingerprint: string, message: string, example: string, count: number, failed: number],
  ...[firstSeen: string, lastSeen: string, hours: number[], groups: number, lines: number],
]

/** The errors of jobs that have failed, or will be tried again, by their kinds. */
export async function errorGroups(db: Kysely<JobDatabase>, view: JobView): Promise<ErrorGroups> {
  const streams = failingStates.flatMap((states) => streamsOf(view, { states, narrow: new Map(), isFiltered: true }))
  const sizes = sizesQuery(streams.flatMap(({ slices }) => slices))
  return steadily(db, view, async (trx) => {
    const asked = (query: RawBuilder<unknown>) => textsOf(trx, query.compile(trx.withoutPlugins()))
    const texts = await asked(groupsQuery(view, streams))
    const told = texts.map((text) => JSON.parse(text ?? '') as Told) // as groupsQuery makes it
    const [found] = sizes === undefined ? [] : await asked(sizes)
    const isAll = (JSON.parse(found ?? '[]') as number[]).every((size) => size <= lookedAt) // as sizesQuery makes it
    const [all, lines] = told[0]?.slice(-2) ?? []
    return {
      groups: told.map(groupOf),
      others: typeof all === 'number' ? all - told.length : 0,
      looked: { at: lookedAt, isAll: isAll && Number(lines ?? 0) <= mostLines },
    }
  })
}

function groupOf([fingerprint, message, example, count, failed, firstSeen, lastSeen, hours]: Told): ErrorGroup {
  return { fingerprint, message, example, count, failed, retrying: count - failed, firstSeen, lastSeen, hours }
}

/** Lines are counted first, and each is looked through once: many jobs fail with the very same words, or with other numbers alone. */
function groupsQuery(view: JobView, streams: readonly Stream[]): RawBuilder<unknown> {
  const branches = streams.flatMap((stream) =>
    stream.slices.map((slice) => {
      const isMeant = sql`${slice.meant} and job.status <> ${statusLiteral('job_status_not_started')}`
      const columns = [
        sql`${firstLine()} as line`,
        sql`job.status::text = 'job_status_retry' as is_retrying`,
        ...[sql`job.updated_at as at`, sql`${isMeant} as ${met}`],
      ]
      const rows = looked({ view, stream, filters: job.lit(true), backward: false }, slice, columns)
      return sql`select line, is_retrying, at from (${rows}) as job where ${met} and line is not null`
    }),
  )
  const inHour = hours.map((hour) => sql`coalesce(sum(jobs) filter (where hour = ${sql.lit(hour)}), 0)`)
  const told = [
    ...[fingerprintOf(sql`message`), sql`message`, sql`(pg_catalog.array_agg(example order by last desc))[1]`],
    ...[sql`sum(jobs)`, sql`coalesce(sum(jobs) filter (where not is_retrying), 0)`, sql`min(first)`, sql`max(last)`],
    ...[sql`pg_catalog.json_build_array(${sql.join(inHour)})`, sql`count(*) over ()`],
    sql`(select count(distinct line) from counted)`,
  ]
  const hour = sql`pg_catalog.floor(extract(epoch from now() - at) / 3600)`
  return sql`
    with failures as (${sql.join(branches, sql` union all `)}),
    counted as materialized (
      select ${withoutDigits(sql`line`)} as line, is_retrying, ${hour} as hour, count(*) as jobs, min(at) as first, max(at) as last,
        (pg_catalog.array_agg(line order by at desc))[1] as example
      from failures where pg_catalog.isfinite(at) group by 1, 2, 3),
    named as materialized (select line, ${messageOf(sql`line`)} as message from (
      select line from counted group by line order by max(last) desc limit ${sql.lit(mostLines)}) as lines)
    select ${asText(sql`pg_catalog.json_build_array(${sql.join(told)})`)}
    from counted join named using (line) group by message
    order by sum(jobs) desc, max(last) desc, message limit ${sql.lit(mostGroups)}`
}
