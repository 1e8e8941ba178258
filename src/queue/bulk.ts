import { sql } from 'kysely'
import { job } from '../predicates/column.js'
import { isSelected, type JobSelection } from '../predicates/selected.js'
import type { JobId } from '../schema/columns.js'
import { asText, textsOf } from '../schema/text.js'
import type { BulkOptions, BulkResult } from './bulk-options.js'
import { BulkRun } from './bulk-run.js'
import { type BulkWrite, writeInChunks } from './chunks.js'

/**
 * Runs a bulk verb on a table, and then on its archive where it is about that too: a job that ends meanwhile is then found
 * in one of the two. Or counts what it would change.
 */
export async function inBulk<Row, DryRun extends boolean>(
  writes: readonly [BulkWrite, ...BulkWrite[]],
  selection: JobSelection<Row>,
  options: BulkOptions<DryRun>,
): Promise<BulkResult<DryRun>> {
  if (options.dryRun) return (await matched(writes, selection)) as BulkResult<DryRun> // it is true
  const [first, ...others] = writes
  const run = new BulkRun(options as BulkOptions) // it is not true
  if (selection.ids !== undefined && first.jobs.key === undefined) run.expect(selection, new Set(selection.ids).size)
  else if (run.isWatched) for (const write of others) run.expect(write, await matched([write], selection))
  for (const write of writes) await writeInChunks(write, withoutIds(selection, run.changed), run)
  return run.result as BulkResult<DryRun> // as above
}

/** How many jobs match, in one statement. */
async function matched<Row>(
  writes: readonly [BulkWrite, ...BulkWrite[]],
  selection: JobSelection<Row>,
): Promise<number> {
  const counts = writes.map(({ jobs, may }) => {
    const rows = jobs.db.selectFrom(jobs.asJob).where(isSelected(selection)).where(may)
    return rows.select(job.fn.countAll<string>().as('count'))
  })
  const sum = counts.map((count) => sql`(${count})`)
  const { db } = writes[0].jobs
  const [text] = await textsOf(db, db.selectNoFrom(asText(sql.join(sum, sql` + `))).compile())
  return Number(text)
}

function withoutIds<Row>(selection: JobSelection<Row>, found: readonly JobId[]): JobSelection<Row> {
  if (selection.ids === undefined || found.length === 0) return selection
  const known = new Set(found.map(String))
  return { ids: selection.ids.filter((id) => !known.has(String(id))) }
}
