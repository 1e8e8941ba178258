import { type Kysely, type RawBuilder, type SqlBool, sql } from 'kysely'
import { keyText } from '../predicates/rows.js'
import type { JobDatabase } from '../schema/job-database.js'
import { valueInKey } from '../schema/key.js'
import { quoted, quotedName } from '../schema/names.js'
import { own } from '../schema/own-names.js'
import { asText, textsOf } from '../schema/text.js'
import { columnCalled } from './filter.js'
import { FilterError } from './filter-error.js'
import { noValue, valueIn } from './filter-value.js'
import { type FoundJob, jobIn, type Told, toldOf } from './found-job.js'
import { labelled } from './labels.js'
import { steadily } from './steadily.js'
import { type FailedAttempt, type Happening, timelineOf } from './timeline.js'
import type { JobView, ViewColumn, ViewedTable } from './view.js'
import { columnsIn } from './viewed-columns.js'

/** Which job: by its id, and where that does not tell it from others by its key; without a place it is looked for in both tables. */
export interface WantedJob {
  readonly id: string
  readonly key?: string | null | undefined
  readonly isArchived?: boolean | undefined
}

/** A job with all its columns, each cut at {@link wholeLength}. */
export interface OneJob extends FoundJob {
  /** What has become of it, the earliest first. */
  readonly timeline: readonly Happening[]
}

/** So many characters of a value are read. */
export const wholeLength = 1_048_576

/** The most failed attempts that are told, the latest. */
const mostErrors = 200

/** One job, from the table or its archive; undefined: there is none. */
export async function oneJob(db: Kysely<JobDatabase>, view: JobView, wanted: WantedJob): Promise<OneJob | undefined> {
  const { columns } = view
  const told = sql`pg_catalog.json_build_array(${toldOf(view, columns, wholeLength)}, ${errorsOf(view)})`
  return steadily(db, view, async (trx) => {
    for (const place of placesOf(view, wanted)) {
      const isIt = isWanted(view, wanted)
      if (isIt === undefined) return undefined
      const list = sql.join([
        ...columnsIn(view, place),
        sql`${sql.lit(place.isArchive)}::boolean as ${sql.id(own.isArchived)}`,
        sql`null as ${sql.id(own.order)}`,
      ])
      const row = sql`select ${list} from ${sql.raw(quotedName(place.table))} as job where ${isIt} limit 1`
      const [text] = await textsOf(trx, sql`select ${asText(told)} from (${row}) as job`.compile(trx.withoutPlugins()))
      if (text == null) continue
      const [written, errors] = JSON.parse(text) as [Told, readonly FailedAttempt[] | null] // as told above
      const { job } = jobIn(written, columns, 0, wholeLength)
      const [found = job] = await labelled(trx, columns, [job])
      return { ...found, timeline: timelineOf(found, errors ?? []) }
    }
    return undefined
  })
}

/** The tables in which a job may be. */
export const placesOf = ({ places }: JobView, { isArchived }: WantedJob): readonly ViewedTable[] =>
  places.filter(({ isArchive }) => isArchived === undefined || isArchive === isArchived)

/** Whether a row, under the name `job`, is it; undefined: no job has such an id. */
export function isWanted(view: JobView, { id, key }: WantedJob): RawBuilder<SqlBool> | undefined {
  if (`${id}${key ?? ''}`.includes('\0')) return undefined
  try {
    const hasId = sql<SqlBool>`job.id = ${valueIn(columnCalled(view, 'id'), id)}`
    if (view.key === undefined || key == null) return hasId
    const { volatileInUpdate } = view.home.engine
    // Within a sub-select, as Citus takes what is stable there alone.
    const whole = volatileInUpdate ? keyText(view.key) : sql`(select ${keyText(view.key)})`
    const hasKey = view.spread === undefined ? sql`${whole} = ${key}::text` : hasValue(view.spread, key)
    return sql`${hasId} and ${hasKey}`
  } catch (error) {
    if (error instanceof FilterError) return undefined
    throw error
  }
}

/** Of a job on one of several nodes, which a statement goes to that names the value. @throws FilterError where the key is none */
function hasValue(column: ViewColumn, key: string): RawBuilder<SqlBool> {
  const value = givenValue(column, key)
  const mayBeRead = ['text', 'number', 'uuid', 'boolean', 'enum'].includes(column.kind)
  const given = sql.raw(`job.${quoted(column.name)}`)
  return mayBeRead ? sql`${given} = ${valueIn(column, value)}` : sql`${given}::text = ${value}`
}

function givenValue(column: ViewColumn, key: string): string {
  try {
    return valueInKey(key)
  } catch (error) {
    throw noValue(column, key, error)
  }
}

/** The history of failed attempts, where the table keeps one, and it is a list. */
function errorsOf({ columns }: JobView): RawBuilder<unknown> {
  if (!columns.some(({ name }) => name === 'errors')) return sql`null`
  const latest = sql`select entry, place from pg_catalog.jsonb_array_elements(
      case when pg_catalog.jsonb_typeof(job.errors::jsonb) = 'array' then job.errors::jsonb else '[]' end) with ordinality as entries(entry, place)
    order by place desc limit ${sql.lit(mostErrors)}`
  return sql`(select pg_catalog.jsonb_agg(entry order by place) from (${latest}) as latest)`
}
