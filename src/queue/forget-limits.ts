import { sql } from 'kysely'
import { earlier, now } from '../predicates/clock.js'
import type { Jobs } from '../schema/job-database.js'
import { quotedName } from '../schema/names.js'
import { unlessUndone } from '../schema/undone.js'
import type { KeptLimits } from './allowance.js'

/** The most rows of one statement. */
const most = 1_000

/**
 * Deletes what is kept of keys whose rate was not used for so many milliseconds, in which it was made up for: keys come and go, and each that
 * had a job has left a row.
 */
export async function forgetLimits({ db }: Jobs, { table, of }: KeptLimits, after: number): Promise<void> {
  const name = sql.raw(quotedName(table))
  const isUnused = sql`job_schema = ${of.schema} and job_table = ${of.name} and kind = 'rate' and used_at < ${earlier(now(), after)}`
  const plain = db.withoutPlugins()
  for (let deleted = most; deleted === most; ) {
    // Of what was locked none is in use by then; an array, as the planner of a table without statistics would join it row by row.
    const keys = sql`array(select key from ${name} where ${isUnused} limit ${most} for update skip locked)`
    const query = sql`delete from ${name} where ${isUnused} and key = any(${keys})`
    const { numAffectedRows = 0n } = await unlessUndone(plain, () => plain.executeQuery(query.compile(plain)))
    deleted = Number(numAffectedRows)
  }
}
