import { type Kysely, type RawBuilder, sql } from 'kysely'
import { sqlState } from '../pg/error-class.js'
import { job } from '../predicates/column.js'
import { keyText } from '../predicates/rows.js'
import { isRunning } from '../predicates/status.js'
import { undoable } from '../queue/chunks.js'
import { type JobDatabase, realJobsOf } from '../schema/job-database.js'
import { quoted, quotedName } from '../schema/names.js'
import { asJsonText, textsOf } from '../schema/text.js'
import { columnCalled, refuseUnheld } from './filter.js'
import { FilterError, writtenColumn } from './filter-error.js'
import { valueIn } from './filter-value.js'
import type { JobIdentity } from './found-job.js'
import { isWanted, placesOf, type WantedJob } from './one-job.js'
import type { JobView, ViewColumn, ViewedTable } from './view.js'

/** The job that was written, or why none was: it is gone, it runs, or the table does not take it. */
export type Changed =
  | { readonly job: JobIdentity; readonly refused?: undefined }
  | { readonly job?: undefined; readonly refused: 'gone' | 'running' | 'values'; readonly message: string }

/**
 * Gives columns of the user's other values, as texts; not to a job that runs, as its handler has read them. The values are checked as those
 * of filters are.
 * @returns what Postgres says, where a CHECK, a NOT NULL, a trigger, another row or the table's node stands against it: without values of rows
 */
export async function editJob(
  db: Kysely<JobDatabase>,
  view: JobView,
  wanted: WantedJob,
  changes: Readonly<Record<string, string | null>>,
): Promise<Changed> {
  const sets = setsOf(view, changes)
  if ('refused' in sets) return sets
  const isIt = isWanted(view, wanted)
  if (isIt === undefined) return gone
  for (const place of placesOf(view, wanted)) {
    const table = sql.raw(quotedName(place.table))
    const missing = sets.columns.find(({ name }) => !place.columns.has(name))
    const may = sql`${isIt} and ${job.not(isRunning('job'))}`
    const edited = await asked(db, view, place, (told) =>
      missing === undefined
        ? sql`update ${table} as job set ${sql.join(sets.sets)} where ${may} returning ${told}`
        : sql`select ${told} from ${table} as job where false`,
    )
    if (edited !== undefined) return edited
    const isThere = await asked(db, view, place, (told) => sql`select ${told} from ${table} as job where ${isIt}`)
    if (isThere !== undefined) return missing === undefined ? running : lacking(place, missing)
  }
  return gone
}

const gone: Changed = { refused: 'gone', message: 'There is no such job any more' }
const running: Changed = {
  refused: 'running',
  message: 'The job runs, and its handler has read these columns: cancel it first, or wait until it has ended',
}

function lacking({ table }: ViewedTable, { name }: ViewColumn): Changed {
  const message = `${quotedName(table)} has no column ${writtenColumn(name)} of the job table's type: createJobArchive, in a migration, adds what is missing`
  return { refused: 'values', message }
}

interface Sets {
  readonly sets: readonly RawBuilder<unknown>[]
  readonly columns: readonly ViewColumn[]
}

function setsOf(
  view: JobView,
  changes: Readonly<Record<string, string | null>>,
): Sets | Extract<Changed, { refused: string }> {
  try {
    const entries = Object.entries(changes).map(([name, value]) => ({ column: ownColumn(view, name), value }))
    if (entries.length === 0) throw new FilterError('There is nothing to change: give columns and their values')
    return {
      columns: entries.map(({ column }) => column),
      sets: entries.map(({ column, value }) => {
        refuseUnheld(writtenColumn(column.name), value ?? '')
        return sql`${sql.raw(quoted(column.name))} = ${value === null ? sql`null` : valueIn(column, value)}`
      }),
    }
  } catch (error) {
    if (error instanceof FilterError) return { refused: 'values', message: error.message }
    throw error
  }
}

/** @throws FilterError */
function ownColumn(view: JobView, name: string): ViewColumn {
  const column = columnCalled(view, name)
  if (column.isOfQueue) throw new FilterError(`${writtenColumn(column.name)} is written by the queue alone`)
  if (column.name === view.spread?.name) throw new FilterError(spreadFlaw(column))
  if (column.isGenerated) throw new FilterError(`${writtenColumn(column.name)} is generated: Postgres alone writes it`)
  return column
}

const spreadFlaw = ({ name }: ViewColumn) =>
  `${writtenColumn(name)} says on which node the job is, and stays as it is: enqueue another with the new value, and cancel this one`

/**
 * Enqueues a job once more: its own columns, as a new row with the queue's defaults. What comes from a sequence is drawn anew.
 * @returns the new job, or what Postgres says against it, as `editJob` does
 */
export async function duplicateJob(db: Kysely<JobDatabase>, view: JobView, wanted: WantedJob): Promise<Changed> {
  const [into] = view.places
  const isIt = isWanted(view, wanted)
  if (isIt === undefined) return gone
  for (const place of placesOf(view, wanted)) {
    const copied = view.columns.filter(
      (column) => !column.isOfQueue && !column.isGenerated && !column.isNumbered && place.columns.has(column.name),
    )
    const names = copied.map(({ name }) => sql.raw(quoted(name)))
    const list = sql.join([sql`run_at`, ...names])
    const values = sql.join([sql`now()`, ...names.map((name) => sql`job.${name}`)])
    const from = sql`${sql.raw(quotedName(place.table))} as job where ${isIt} limit 1`
    const made = await asked(
      db,
      view,
      into,
      (told) => sql`
      insert into ${sql.raw(quotedName(into.table))} as job (${list}) select ${values} from ${from} returning ${told}`,
    )
    if (made !== undefined) return made
  }
  return gone
}

/** Runs a statement on a table. @returns the job of its row, or what Postgres says of the values; undefined: it has no row */
async function asked(
  db: Kysely<JobDatabase>,
  view: JobView,
  { table, isArchive }: ViewedTable,
  statement: (told: RawBuilder<unknown>) => RawBuilder<unknown>,
): Promise<Changed | undefined> {
  const jobs = realJobsOf(db, table, view)
  const key = view.key === undefined ? sql`null` : keyText(view.key)
  // A sub-select, as Citus takes it: there an answer to a write says nothing by itself that is not the same at any time.
  const told = sql`(select ${asJsonText([sql`job.id::text`, key])})`
  try {
    const [text] = await undoable(jobs, () => textsOf(jobs.db, statement(told).compile(jobs.db)))
    if (text == null) return undefined
    const [id, key] = JSON.parse(text) as [string, string | null] // made above
    return { job: { id, key, isArchived: isArchive } }
  } catch (error) {
    if (!(error instanceof Error) || !/^(?:0A|22|23|P0001|42501)/.test(sqlState(error) ?? '')) throw error
    return { refused: 'values', message: error.message }
  }
}
