import { sql } from 'kysely'
import type { Jobs } from '../schema/job-database.js'
import { quotedName } from '../schema/names.js'
import { isMadeUpFor, type KeptLimits } from './allowance.js'

/** The most rows of one statement. */
const most = 10_000

/** Deletes what is kept of keys whose rate is not used any more: keys come and go, and each that had a job has left a row. */
export async function forgetLimits({ db }: Jobs, { table, of }: KeptLimits): Promise<void> {
  const name = sql.raw(quotedName(table))
  const ofTable = sql`job_schema = ${of.schema} and job_table = ${of.name}`
  const keys = sql`select key from ${name} where ${ofTable} and ${isMadeUpFor()} limit ${most} for update skip locked`
  const plain = db.withoutPlugins()
  await plain.executeQuery(
    sql`delete from ${name} where ${ofTable} and key in (${keys}) and ${isMadeUpFor()}`.compile(plain),
  )
}
