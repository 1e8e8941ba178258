import { type Kysely, sql } from 'kysely'
import { sqlState } from '../pg/error-class.js'
import { undoable } from '../queue/chunks.js'
import { type JobDatabase, realJobsOf } from '../schema/job-database.js'
import { quoted, quotedName } from '../schema/names.js'
import { asJsonText, textsOf } from '../schema/text.js'
import { type Cell, cellLength, type FoundJob } from './found-job.js'
import type { Reference, ViewColumn } from './view.js'

/** Adds to values of foreign keys what the rows are called that they point to: one look-up for each table. */
export async function labelled(
  db: Kysely<JobDatabase>,
  columns: readonly ViewColumn[],
  jobs: readonly FoundJob[],
): Promise<readonly FoundJob[]> {
  const tables = Map.groupBy(
    columns.filter(({ references }) => references?.label !== undefined),
    ({ references }) => JSON.stringify([references?.table, references?.column]),
  )
  if (tables.size === 0 || jobs.length === 0) return jobs
  const labels = new Map<string, ReadonlyMap<string, string>>()
  for (const pointing of tables.values()) {
    const values = pointing.flatMap(({ name }) => jobs.map(({ values }) => values.get(name)))
    const keys = [...new Set(values.flatMap((cell) => (cell?.text == null || cell.isCut ? [] : [cell.text])))]
    const [reference] = pointing.flatMap(({ references }) => references ?? [])
    if (reference === undefined || keys.length === 0) continue
    const found = await lookedUp(db, reference, keys)
    for (const { name } of pointing) labels.set(name, found)
  }
  return jobs.map((job) => ({
    ...job,
    values: new Map([...job.values].map(([name, cell]) => [name, withLabel(cell, labels.get(name))])),
  }))
}

function withLabel(cell: Cell, labels: ReadonlyMap<string, string> | undefined): Cell {
  const label = cell.text === null || cell.isCut ? undefined : labels?.get(cell.text)
  return label === undefined ? cell : { ...cell, label }
}

/** What rows are called, by their keys. */
async function lookedUp(
  db: Kysely<JobDatabase>,
  { table, column, type, label }: Reference,
  keys: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const jobs = realJobsOf(db, table)
  const key = sql.raw(quoted(column))
  const name = sql`pg_catalog.left(${sql.raw(quoted(label ?? ''))}::text, ${sql.lit(cellLength)})`
  const query = sql`select ${asJsonText([sql`${key}::text`, name])} from ${sql.raw(quotedName(table))}
    where ${key} = any (${[...keys]}::${sql.raw(type)}[])`
  try {
    const texts = await undoable(jobs, () => textsOf(jobs.db, query.compile(jobs.db)))
    const pairs = texts.map((text) => JSON.parse(text ?? '') as [string, string | null]) // made above
    return new Map(pairs.flatMap(([of, name]) => (name === null ? [] : [[of, name] as const])))
  } catch (error) {
    // The table is gone since, or not this role's to read any more: a list goes without.
    if (/^42/.test(sqlState(error) ?? '')) return new Map()
    throw error
  }
}
