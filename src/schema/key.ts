import type { Catalog } from './catalog.js'
import { quoted, quotedName, type TableName } from './names.js'

/** What is written while a job runs, and as it ends: by a key with one of these a worker would not find its jobs again. */
const changing: ReadonlySet<string> = new Set([
  ...['status', 'updated_at', 'last_error', 'attempts_count', 'locked_at', 'locked_by'],
  ...['result', 'started_at', 'finished_at', 'errors'],
])

type Indexes = Pick<Catalog, 'indexes'>

const proofsIn = ({ indexes }: Indexes) => indexes.filter(({ proves, names }) => proves && names.includes('id'))

/** What tells a row from all others: the columns, and as text in SQL where these are more than its id. Undefined: nothing is proven to. */
export function keyOf(
  catalog: Indexes,
): { readonly key: string | undefined; readonly names: readonly string[] } | undefined {
  const proofs = proofsIn(catalog).filter(({ names }) => !names.some((name) => changing.has(name)))
  const [shortest] = proofs.sort((a, b) => a.columns.length - b.columns.length)
  if (shortest === undefined) return undefined
  const { names, columns, key } = shortest
  return { key: columns.length === 1 ? undefined : (key ?? undefined), names: names.filter((name) => name !== null) }
}

/** The same of a table that is distributed by a column: its value and the id, as the text of a JSON array. */
export const distributedKey = (by: string): string =>
  `pg_catalog.json_build_array(${quoted(by)}::text, ${quoted('id')}::text)::text`

/** The value in such a key. */
export function valueInKey(key: string): string {
  const [value = ''] = JSON.parse(key) as string[] // as it is made
  return value
}

/** Why a table whose rows can't be told apart is no job table, and the remedy. */
export function keyFlaw(table: TableName, catalog: Indexes): string {
  const written = proofsIn(catalog).flatMap(({ names }) => names.filter((name) => changing.has(name)))
  if (written.length > 0) {
    return `its rows are told apart by a column that is written while they run ('${written.join("', '")}'), so that workers would lose their jobs: leave it out of the key; a table can be partitioned by id, created_at, run_at and columns of your own`
  }
  const remedy = `alter table ${quotedName(table)} add primary key (id)`
  return `nothing proves that no two rows have the same id, by which jobs are claimed and written: make it the primary key (${remedy}; of a partitioned table together with the columns that it is partitioned by). A unique index serves too, if it is valid, neither partial nor deferrable, and on columns that are NOT NULL`
}
