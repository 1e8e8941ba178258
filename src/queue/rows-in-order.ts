import { sql } from 'kysely'
import { identifyTable } from '../schema/identify.js'
import type { Jobs } from '../schema/job-database.js'
import { quotedName } from '../schema/names.js'
import { idOf } from '../schema/row.js'
import { asText, textsOf } from '../schema/text.js'
import { idText } from './id-text.js'
import type { NewRow } from './new-rows.js'

/**
 * Rows for a distributed table, each with its id: Citus answers in the order of its nodes, and by their ids rows are put in order again. Where the
 * table alone may make ids, or has none to make, they stay as they are, and so does the order.
 */
export async function withIds(jobs: Jobs, rows: readonly NewRow[]): Promise<readonly NewRow[]> {
  const lacking = rows.filter(({ id }) => id === undefined).length
  const made = lacking === 0 ? undefined : await idExpression(jobs)
  if (made === undefined) return rows
  const plain = jobs.db.withoutPlugins()
  const query = sql`select ${asText(sql.raw(made))} from pg_catalog.generate_series(1, ${sql.lit(lacking)})`
  const ids = (await textsOf(jobs.db, query.compile(plain))).filter((id) => id !== null).values()
  return rows.map((row) => (row.id === undefined ? { ...row, id: ids.next().value } : row))
}

/** By what the table makes an id; undefined: it has nothing for that, or this role may not give one. */
async function idExpression({ db, name }: Jobs): Promise<string | undefined> {
  const of = quotedName(await identifyTable(db, name))
  const sequence = sql`pg_catalog.pg_get_serial_sequence(${of}, a.attname)`
  const counted = sql`a.attidentity = 'd' and pg_catalog.has_sequence_privilege(${sequence}, 'USAGE')`
  const made = sql`coalesce(
    pg_catalog.pg_get_expr(d.adbin, d.adrelid), case when ${counted} then pg_catalog.format('pg_catalog.nextval(%L)', ${sequence}) end)`
  const query = sql`
    select ${asText(made)}
    from pg_catalog.pg_attribute a left join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
    where a.attrelid = pg_catalog.to_regclass(${of}) and a.attname = 'id'
      and pg_catalog.has_column_privilege(a.attrelid, a.attnum, 'INSERT')`
  const [text] = await textsOf(db, query.compile(db.withoutPlugins()))
  return text ?? undefined
}

/** Inserted rows in the order in which they were given. */
export function inOrder(given: readonly NewRow[], inserted: readonly object[]): readonly object[] {
  const places = new Map(given.map(({ id }, place) => [idText(id), place]))
  const placeOf = (row: object) => places.get(idText(idOf(row))) ?? given.length
  return inserted.toSorted((one, other) => placeOf(one) - placeOf(other))
}
