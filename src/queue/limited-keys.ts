import { sql } from 'kysely'
import type { Jobs } from '../schema/job-database.js'
import { quotedName, type TableName } from '../schema/names.js'
import { textsOf } from '../schema/text.js'
import { isOf } from './pauses.js'

/**
 * By which columns limits are set for a job table, by their real names in alphabetical order: a list for each set of columns; of all jobs
 * together an empty one.
 * @param limits the table that has them
 */
export async function limitedKeys({ db }: Jobs, limits: TableName, of: TableName): Promise<string[][]> {
  const names = sql`(select pg_catalog.json_agg(name order by name)::text from pg_catalog.jsonb_object_keys(key) as name)`
  const query = sql`
    select distinct coalesce(${names}, '[]') from ${sql.raw(quotedName(limits))} where ${isOf(of)} and kind = 'limit' order by 1`
  const texts = await textsOf(db, query.compile(db.withoutPlugins()))
  return texts.map((text) => (JSON.parse(text ?? '[]') as string[]).toSorted()) // just made
}
