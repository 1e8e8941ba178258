import { type Kysely, sql } from 'kysely'
import { isRunning } from '../predicates/status.js'
import { countBound } from '../queue/count.js'
import type { JobDatabase } from '../schema/job-database.js'
import { quoted, quotedName } from '../schema/names.js'
import { asJsonText, textsOf } from '../schema/text.js'
import { columnCalled } from './filter.js'
import { jobColumn } from './matching.js'
import { steadily } from './steadily.js'
import type { JobView } from './view.js'

/** How many jobs of a key run. */
export interface KeyUse {
  /** By the columns' names in the database, each value as a text; of no columns, all jobs. */
  readonly key: Readonly<Record<string, string>>
  readonly running: number
}

/** So many keys are told, those of which most jobs run. */
const mostKeys = 100

/** How many jobs of each key run now, of the first 10,000 that do. @throws FilterError for a column that there is not */
export async function limitUse(db: Kysely<JobDatabase>, view: JobView, by: readonly string[]): Promise<KeyUse[]> {
  const columns = by.map((name) => columnCalled(view, name))
  const [{ table }] = view.places
  const values = columns.map((column) => sql`${jobColumn(column)}::text as ${sql.id(column.name)}`)
  const running = sql`select ${sql.join([...values, sql`1 as one`])} from ${sql.raw(quotedName(table))} as job
    where ${isRunning('job')} order by job.locked_by limit ${sql.lit(countBound)}`
  const keys = columns.map(({ name }) => sql.raw(quoted(name)))
  const told = asJsonText([sql`pg_catalog.json_build_array(${sql.join(keys)})`, sql`pg_catalog.count(*)`])
  const grouped = keys.length === 0 ? sql`` : sql`group by ${sql.join(keys)}`
  const query = sql`select ${told} from (${running}) as running ${grouped} order by pg_catalog.count(*) desc limit ${sql.lit(mostKeys)}`
  return steadily(db, view, async (trx) => {
    const texts = await textsOf(trx, query.compile(trx.withoutPlugins()))
    return texts.map((text) => {
      const [values, running] = JSON.parse(text ?? '') as [string[], number] // made above
      return { key: Object.fromEntries(columns.map(({ name }, n) => [name, values[n] ?? ''])), running }
    })
  })
}
