import { type Kysely, type RawBuilder, sql } from 'kysely'
import { keyText } from '../predicates/rows.js'
import type { JobDatabase } from '../schema/job-database.js'
import { valueInKey } from '../schema/key.js'
import { quoted, quotedName } from '../schema/names.js'
import { own } from '../schema/own-names.js'
import { asText, textsOf } from '../schema/text.js'
import type { Told } from './found-job.js'
import { type Part, pageQuery } from './page.js'
import type { ViewColumn, ViewedTable } from './view.js'
import { columnsIn } from './viewed-columns.js'

/** A job of a page, by what tells it from others, and its place in the list. */
type Listed = readonly [id: string, key: string, isArchived: boolean, order: string | null]

/**
 * The same as `pageQuery` asks for, of a table that is spread over nodes. Each of its shards sends as many rows as are looked at, so these
 * have nothing but what tells jobs apart; the rest is read of those of the page.
 */
export async function rowsOfNodes(
  db: Kysely<JobDatabase>,
  part: Part,
  spread: ViewColumn,
  told: RawBuilder<unknown>,
  limit: number,
): Promise<Told[]> {
  const { view } = part
  const asked = (query: RawBuilder<unknown>) => textsOf(db, query.compile(db.withoutPlugins()))
  const narrow = ['id', spread.name].map((name) => sql.raw(`job.${quoted(name)}`))
  const identity = [sql`job.id::text`, keyText(view.key ?? 'null'), sql.id(own.isArchived), orderText]
  const texts = await asked(pageQuery(part, sql`pg_catalog.json_build_array(${sql.join(identity)})`, limit, narrow))
  const listed = texts.map((text) => JSON.parse(text ?? '') as Listed) // just made
  const found = new Map<string, Told>()
  for (const place of view.places) {
    const here = listed.filter(([, , isArchived]) => isArchived === place.isArchive)
    const rows = here.length === 0 ? [] : await asked(rowsQuery(part, place, spread, here))
    for (const text of rows) {
      const row = JSON.parse(text ?? '') as Told // as it is told
      found.set(identityOf(row[0]), row)
    }
  }
  return listed.flatMap((job) => withOrder(found.get(identityOf(job)), job))

  function rowsQuery({ stream }: Part, place: ViewedTable, { name, cast }: ViewColumn, jobs: readonly Listed[]) {
    const ids = jobs.map(([id]) => id)
    const values = [...new Set(jobs.map(([, key]) => valueInKey(key)))]
    const id = view.columns.find((column) => column.name === 'id')
    const list = sql.join([
      ...columnsIn(view, place),
      sql`${sql.lit(place.isArchive)}::boolean as ${sql.id(own.isArchived)}`,
      sql`${stream.order.value} as ${sql.id(own.order)}`,
    ])
    const rows = sql`select ${list} from ${sql.raw(quotedName(place.table))} as job
      where job.id = any (${ids}::${sql.raw(id?.cast ?? 'text')}[]) and ${sql.raw(`job.${quoted(name)}`)} = any (${values}::${sql.raw(cast)}[])`
    return sql`select ${asText(told)} from (${rows}) as job`
  }
}

const orderText = sql`${sql.id(own.order)}::text`

const identityOf = ([id, key, isArchived]: readonly [string, string | null, boolean, ...unknown[]]): string =>
  JSON.stringify([id, key, isArchived])

/** In the place in which it was listed, whatever has become of it; none: it is gone since. */
function withOrder(row: Told | undefined, [, , , order]: Listed): Told[] {
  if (row === undefined) return []
  const [[id, key, isArchived, , ...fixed], ...cells] = row
  return [[[id, key, isArchived, order, ...fixed], ...cells]]
}
