import { type SelectQueryBuilder, sql } from 'kysely'
import { column, job } from '../predicates/column.js'
import { keyText } from '../predicates/rows.js'
import type { JobAlias, JobDatabase, Jobs } from '../schema/job-database.js'
import { own } from '../schema/own-names.js'
import { asText, valuesOf } from '../schema/text.js'
import type { RowKey } from './fenced.js'

/** What tells rows from all others, so many at a time. */
export interface KeyPages extends Iterable<readonly RowKey[]> {
  /** How many rows there are in all. */
  readonly rows: number
}

/**
 * What tells the rows of a query, read by one statement. A page comes as one text, and is parsed when its turn comes: for a
 * million rows the driver makes a thousand, and a retry of them all takes 250 MB, not 510, of which the result is a part.
 */
export async function pagesOf<Selected>(
  jobs: Jobs,
  rows: SelectQueryBuilder<JobDatabase, JobAlias, Selected>,
  size: number,
): Promise<KeyPages> {
  const values = [job.cast<string>(column('id'), 'text'), ...(jobs.key === undefined ? [] : [keyText(jobs.key)])]
  const numbered = rows.select([
    sql`pg_catalog.json_build_array(${sql.join(values)})`.as(own.key),
    sql`(row_number() over () - 1) / ${sql.lit(size)}`.as(own.page),
  ])
  const [page, key] = [sql.id(own.page), sql.id(own.key)]
  // Not by the user's handle, whose plugins would take the alias for a table of theirs. Not in order: it would sort all rows.
  const paged = sql`select ${asText(page, own.page)}, ${asText(sql`count(*)`, own.count)}, ${asText(sql`pg_catalog.json_agg(${key})`)}
    from (${numbered}) as ${sql.id(own.row)} group by ${page}`
  const found = (await valuesOf(jobs.db, paged.compile(jobs.db))).map(([place, count, keys]) => {
    return { place: Number(place), count: Number(count), keys: String(keys) }
  })
  const pages = found.toSorted((a, b) => a.place - b.place)
  return {
    rows: pages.reduce((sum, { count }) => sum + count, 0),
    *[Symbol.iterator]() {
      for (const { keys } of pages) {
        const told = JSON.parse(keys) as [id: string, key?: string][] // made above
        yield told.map(([id, key]) => ({ id, key }))
      }
    },
  }
}

/** The same of rows that are known. */
export function pagesOfKeys(keys: readonly RowKey[], size: number): KeyPages {
  return {
    rows: keys.length,
    *[Symbol.iterator]() {
      for (let start = 0; start < keys.length; start += size) yield keys.slice(start, start + size)
    },
  }
}
