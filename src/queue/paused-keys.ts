import { type RawBuilder, type SqlBool, sql } from 'kysely'
import { quoted } from '../schema/names.js'

/** A key that is paused: each of its columns, by the name that the catalog has, and its value as a text. */
export type PausedKey = Readonly<Record<string, string>>

/**
 * Whether a job is of none of these keys; one whose column is null is of none. Texts without a type, so that each is compared as a value of
 * its column; as literals, so that the planner may know how many jobs are of it.
 * @param columnOf a column in the statement. Default: of the table
 */
export function isNotPaused(
  keys: readonly PausedKey[],
  columnOf: (name: string) => RawBuilder<unknown> = named,
): RawBuilder<SqlBool> {
  const ofKey = (key: PausedKey) => {
    const parts = Object.entries(key).map(([name, value]) => sql`${columnOf(name)} = ${literalOf(value)}`)
    return sql`(${sql.join(parts, sql` and `)}) is not true`
  }
  return sql<SqlBool>`(${sql.join(keys.map(ofKey), sql` and `)})`
}

/** Past the user's plugins, as it is the real name. */
const named = (name: string) => sql.raw(quoted(name))

/** A backslash in a literal means what the session's settings say. */
const literalOf = (value: string) => (value.includes('\\') ? sql`${value}` : sql.lit(value))

/** Of so many times at most, in their order, the earliest that is of no paused key; where all that may be are paused, the last of them. */
export const earliestOf = (time: RawBuilder<Date>, isOthers: RawBuilder<boolean>, most: number): RawBuilder<Date> =>
  sql`coalesce(min(${time}) filter (where ${isOthers}), case when count(*) >= ${sql.lit(most)} then max(${time}) end)`
