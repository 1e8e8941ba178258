import { type Kysely, sql } from 'kysely'
import type { JobDatabase } from '../schema/job-database.js'
import { asText, textsOf } from '../schema/text.js'
import { columnCalled, refuseUnheld } from './filter.js'
import { valueIn } from './filter-value.js'
import type { JobView } from './view.js'

/**
 * Ids that people have written as the table writes them, each once: a uuid may come in capitals, a number as 007.
 * @throws FilterError for what no id of the table can be
 */
export async function writtenIds(db: Kysely<JobDatabase>, view: JobView, given: readonly string[]): Promise<string[]> {
  const column = columnCalled(view, 'id')
  for (const id of given) {
    refuseUnheld('id', id)
    valueIn(column, id)
  }
  const ids = sql`pg_catalog.unnest(${[...given]}::text[]) as given(id)`
  const query = sql`select ${asText(sql`given.id::${sql.raw(column.cast)}`)} from ${ids}`
  return [...new Set((await textsOf(db, query.compile(db.withoutPlugins()))).map(String))]
}
