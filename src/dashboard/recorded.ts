import type { Kysely } from 'kysely'
import { type HistoryPoint, historyOf } from '../records/history.js'
import type { HistoryStep } from '../records/history-table.js'
import { type RunnerState, runnersIn } from '../records/runners.js'
import type { JobDatabase } from '../schema/job-database.js'
import type { TableName } from '../schema/names.js'
import { historyTable, readableSideTable, runnersTable } from '../schema/side-table.js'

/** The runners that have written themselves down; undefined: there is no table for them. */
export async function readRunners(db: Kysely<JobDatabase>): Promise<RunnerState[] | undefined> {
  const table = await readableSideTable(db, runnersTable)
  return table && runnersIn(db, table)
}

/** The history of a table until now; undefined: there is no table for it. @param length milliseconds */
export async function readHistory(
  db: Kysely<JobDatabase>,
  of: TableName,
  { length, step }: { readonly length: number; readonly step: HistoryStep },
): Promise<HistoryPoint[] | undefined> {
  const side = await readableSideTable(db, historyTable)
  return side && historyOf(db, side, of, { from: new Date(Date.now() - length), to: undefined, step })
}
