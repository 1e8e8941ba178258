import type { Kysely } from 'kysely'
import { runnersIn } from '../../records/runners.js'
import { jobsOf } from '../../schema/job-database.js'
import { quotedName, type TableName } from '../../schema/names.js'
import { readableSideTable, runnersTable } from '../../schema/side-table.js'

/** How many workers of a table are alive; undefined: nobody writes that down, or this role may not read it. */
export type AliveWorkers = (table: TableName) => number | undefined

/** By what runners write down of themselves. @param handle with the user's plugins, which may say where that is */
export async function readWorkers(handle: Kysely<unknown>): Promise<AliveWorkers> {
  const { db } = jobsOf(handle, '')
  const side = await readableSideTable(db, runnersTable)
  if (side === undefined) return () => undefined
  const workers = (await runnersIn(db, side)).filter(({ alive }) => alive).flatMap(({ workers }) => workers)
  return (table) =>
    workers.filter(({ schema, table: name }) => quotedName({ schema, name }) === quotedName(table)).length
}
