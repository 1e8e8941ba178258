import { type RawBuilder, sql } from 'kysely'
import { quoted } from '../schema/names.js'
import type { JobView, ViewColumn, ViewedTable } from './view.js'

/** All columns of the view, and those of its key, as a table has them; of one that it lacks null. */
export function columnsIn(view: JobView, place: ViewedTable): RawBuilder<unknown>[] {
  const hidden = view.keyed.filter(({ name }) => !view.columns.some((each) => each.name === name))
  return listedIn([...view.columns, ...hidden], place)
}

/** Those alone that a job is told by. */
export function keyedIn({ keyed }: JobView, place: ViewedTable): RawBuilder<unknown>[] {
  return listedIn(keyed, place)
}

function listedIn(columns: readonly ViewColumn[], place: ViewedTable): RawBuilder<unknown>[] {
  return columns.map(({ name, cast }) => {
    const column = sql.raw(quoted(name))
    return place.columns.has(name) ? sql`job.${column}` : sql`null::${sql.raw(cast)} as ${column}`
  })
}
