import { type Kysely, type RawBuilder, sql } from 'kysely'
import type { JobDatabase } from '../schema/job-database.js'
import { valueInKey } from '../schema/key.js'
import { quoted, quotedName } from '../schema/names.js'
import { own } from '../schema/own-names.js'
import { asText, textsOf } from '../schema/text.js'
import type { Told } from './found-job.js'
import { type Part, pageQuery } from './page.js'
import type { ViewColumn, ViewedTable } from './view.js'
import { columnsIn } from './viewed-columns.js'

/** A job of a page: its id, the value that says on which node it is, and its place in the list. */
type Listed = readonly [id: string, value: string, isArchived: boolean, order: string | null]

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
  const value = sql.raw(`job.${quoted(spread.name)}::text`)
  const identity = [sql`job.id::text`, value, sql.id(own.isArchived), sql`${sql.id(own.order)}::text`]
  const texts = await asked(pageQuery(part, sql`pg_catalog.json_build_array(${sql.join(identity)})`, limit, true))
  const listed = texts.map((text) => JSON.parse(text ?? '') as Listed) // just made
  const found = new Map<string, Told>()
  for (const place of view.places) {
    const here = listed.filter(([, , isArchived]) => isArchived === place.isArchive)
    const rows = here.length === 0 ? [] : await asked(rowsQuery(part, place, spread, told, here))
    for (const text of rows) {
      const row = JSON.parse(text ?? '') as Told // as it is told
      const [[id, key, isArchived]] = row
      found.set(nameOf(id, key === null ? undefined : valueInKey(key), isArchived), row)
    }
  }
  return listed.flatMap(([id, value, isArchived, order]) => {
    const row = found.get(nameOf(id, view.key === undefined ? undefined : value, isArchived))
    return row === undefined ? [] : [withOrder(row, order)] // it is gone since
  })
}

const nameOf = (...identity: readonly unknown[]): string => JSON.stringify(identity)

/** Jobs of one table, in any order. By their ids and values, each may be of another pair: where two tenants have jobs of one id. */
function rowsQuery(
  { view, stream }: Part,
  place: ViewedTable,
  { name, cast }: ViewColumn,
  told: RawBuilder<unknown>,
  jobs: readonly Listed[],
): RawBuilder<unknown> {
  const ids = jobs.map(([id]) => id)
  const values = [...new Set(jobs.map(([, value]) => value))]
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

/** In the place in which it was listed, whatever has become of it. */
function withOrder([[id, key, isArchived, , ...fixed], ...cells]: Told, order: string | null): Told {
  return [[id, key, isArchived, order, ...fixed], ...cells]
}
