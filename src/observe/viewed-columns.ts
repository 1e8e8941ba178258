import { type RawBuilder, sql } from 'kysely'
import { quoted } from '../schema/names.js'
import type { JobView, ViewedTable } from './view.js'

/** All columns of the view as a table has them; of one that it lacks null. */
export function columnsIn({ columns }: JobView, place: ViewedTable): RawBuilder<unknown>[] {
  return columns.map(({ name, cast }) => {
    const column = sql.raw(quoted(name))
    return place.columns.has(name) ? sql`job.${column}` : sql`null::${sql.raw(cast)} as ${column}`
  })
}
