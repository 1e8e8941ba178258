import { type Expression, type RawBuilder, type SqlBool, sql } from 'kysely'
import { aheadPlace, markPattern, mostInterruptions, plainPlace, tokensOf } from '../schema/lease-token.js'
import { epoch } from './clock.js'
import { column } from './column.js'

/** Whether a claim is ahead of free slots, as {@link claimToken} takes it. */
export const placeOfClaim = (ahead: boolean): number => (ahead ? aheadPlace : plainPlace)

/**
 * What a claim writes into `locked_by`. A pending job's interruptions in a row stand in `locked_at`, as seconds of 1970: a
 * date that no claim and no hand writes.
 *
 * @param place of the token of a job that was not interrupted
 */
export function claimToken(worker: string, place: number): RawBuilder<string> | string {
  const tokens = tokensOf(worker)
  if (tokens.length === 1) return worker
  const since = column('locked_at')
  const isMarked = sql`${since} >= ${interruptedAt(sql.lit(1))} and ${since} < ${interruptedAt(sql.lit(mostInterruptions + 1))}`
  return sql<string>`(${tokens}::uuid[])[case when ${isMarked} then 1 + floor(extract(epoch from ${since}))::int4 else ${place}::int4 end]`
}

/** `locked_by` of a lease that is renewed: its job has begun, so from now on its attempt counts. */
export function renewedToken(worker: string): RawBuilder<string> | undefined {
  const tokens = tokensOf(worker)
  if (tokens.length === 1) return undefined
  const holder = column('locked_by')
  return sql<string>`case when ${holder} = ${tokens[aheadPlace - 1]} then ${tokens[plainPlace - 1]} else ${holder} end`
}

/**
 * What a pattern finds in `locked_by`, a uuid or a text; null where nothing. By the C collation, as that of a column may
 * know no patterns.
 */
export const partOfToken = (pattern: string, table?: string): RawBuilder<string | null> =>
  sql`substring(${column('locked_by', table)}::text collate "C" from ${sql.lit(pattern)})`

/** How a running job was claimed: the last digit of its token; and its interruptions, as that tells them. */
const mark = (): RawBuilder<string> => sql`coalesce(${partOfToken(markPattern)}, '0')`
const interruptions = (): RawBuilder<number> => sql`translate(${mark()}, 'f', '0')::int4`

const interruptedAt = (count: Expression<number>): RawBuilder<Date> => sql`${epoch()} + ${count} * interval '1 second'`

/** `locked_at` of a job that is handed back: it keeps the count of its interruptions, if there were any. */
export const keptInterruptions = (): RawBuilder<Date> =>
  sql`case when ${interruptions()} > 0 then ${interruptedAt(interruptions())} else ${column('locked_at')} end`

/**
 * Whether the attempt of an interrupted job is handed back: it was claimed ahead, so that nobody knows whether its handler
 * ever began; or it was interrupted for the second time in a row: the next time it runs alone, which tells who ends the
 * workers, and no innocent has lost more than one attempt to it.
 */
export const isHandedBack = (): RawBuilder<SqlBool> => sql`${mark()} in ('f', '1')`

/** `locked_at` of a job that is taken over: one interruption more, and a millisecond where its attempt is handed back. */
export function interruptedAgain(): RawBuilder<Date> {
  const count = sql<number>`least(${interruptions()} + 1, ${sql.lit(mostInterruptions)})`
  return sql<Date>`${interruptedAt(count)} + case when ${isHandedBack()} then interval '1 millisecond' else interval '0' end`
}

/** The attempt that was interrupted, of a row as {@link interruptedAgain} has left it. */
export const interruptedAttempt = (): RawBuilder<number> =>
  sql`${column('attempts_count')} + (extract(milliseconds from ${column('locked_at')})::int8 % 10)`

/** What a rescue leaves in `last_error`, for people; nothing reads it. */
export function interruptionError(): RawBuilder<string> {
  const worker = sql`coalesce(${column('locked_by')}::text, 'nobody')`
  const uncounted = sql`case when ${mark()} = 'f' then '; the attempt does not count, as its handler may never have begun'
    when ${mark()} = '1' then '; the attempt does not count, and the next one is alone in its process' else '' end`
  return sql<string>`format('Lease expired (%s in a row): worker %s stopped renewing it during attempt %s; it was killed, cut off or blocked%s',
    ${interruptions()} + 1, ${worker}, ${column('attempts_count')}, ${uncounted})`
}
