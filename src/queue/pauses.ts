import { type RawBuilder, sql } from 'kysely'
import { findTable, type Lookup, type WrittenName, writtenName } from '../schema/identify.js'
import { quotedName, type TableName } from '../schema/names.js'
import { findSideTable, pausesTable, SideTableError, sideFlaw } from '../schema/side-table.js'
import { asJsonText, textsOf } from '../schema/text.js'
import type { PausedKey } from './paused-keys.js'

/** What is paused. */
export interface Pause {
  /** The key, by its columns' names in the database, each value as Postgres writes it; undefined: the whole table. */
  readonly where: PausedKey | undefined
  readonly reason: string | undefined
  /** When it ends by itself; undefined: when it is resumed. */
  readonly until: Date | undefined
  /** When it began. */
  readonly since: Date
}

/** A pause as its row has it. */
export interface KeptPause extends Pause {
  /** For how long (milliseconds) it goes on, by the database's clock. */
  readonly left: number
  /** The types of its key's columns as they are now, by their names; null: the job table has not got it any more. */
  readonly types: Readonly<Record<string, string | null>>
}

/** The pauses of a job table as they are written. */
export interface ReadPauses {
  /** The table that has them. */
  readonly side: TableName
  /** The same for the same rows. */
  readonly version: string
  readonly pauses: readonly KeptPause[]
  /** The database's clock. */
  readonly now: Date
}

/** Whether a row is of a job table. */
export const isOf = ({ schema, name }: TableName): RawBuilder<boolean> =>
  sql`job_schema = ${schema} and job_table = ${name}`

/** Whether a pause goes on. */
export const isActive = sql<boolean>`coalesce(until > clock_timestamp(), true)`

/** Where the pauses of a job table are written. */
export interface PausesPlace {
  /** The job table. */
  readonly of: TableName
  /** The table that has them, or by which name it would be found. */
  readonly side: TableName | { readonly missing: WrittenName }
}

/** Where a table of pauses would be found that is not there. */
export const missingSide = (db: Lookup) => ({ missing: writtenName(db, pausesTable.name) })

/** A text that changes when a row of the job table's pauses does: for a poll. Null: there is no table that has them. */
export function pausesVersion({ of, side }: PausesPlace): RawBuilder<string | null> {
  if ('missing' in side) return sql`pg_catalog.to_regclass(${quotedName(side.missing)})::oid::text`
  return sql`(select ${version} from ${sql.raw(quotedName(side))} where ${isOf(of)})`
}

const version = sql<string>`pg_catalog.md5(coalesce(pg_catalog.string_agg(
  pg_catalog.concat_ws(' ', paused_key::text, extract(epoch from until), extract(epoch from paused_at), reason), ',' order by paused_key), ''))`

const milliseconds = (time: string) => sql.raw(`(extract(epoch from ${time}) * 1000)::numeric`)

/** The types of a key's columns as they are now, by their names; null: the table has not got it. */
const types = sql`(
  select pg_catalog.json_object_agg(key, (
    select pg_catalog.format_type(a.atttypid, a.atttypmod) from pg_catalog.pg_attribute a where a.attname = key and not a.attisdropped
      and a.attrelid = pg_catalog.to_regclass(pg_catalog.format('%I.%I', job_schema, job_table))))
  from pg_catalog.jsonb_object_keys(paused_key) as key)`

const left = sql`${milliseconds('until')} - ${milliseconds('clock_timestamp()')}`

const pause = sql`pg_catalog.json_build_array(paused_key, reason, ${milliseconds('until')}, ${milliseconds('paused_at')}, ${left}, ${types})`

const read = asJsonText([
  version,
  sql`coalesce(pg_catalog.json_agg(${pause} order by paused_key), '[]')`,
  milliseconds('clock_timestamp()'),
])

type Row = readonly [
  key: PausedKey,
  reason: string | null,
  until: number | null,
  pausedAt: number,
  left: number | null,
  types: Readonly<Record<string, string | null>> | null,
]

/**
 * The pauses of a job table that go on.
 * @param side the table that has them, where it is known
 * @returns undefined where there is no such table
 * @throws SideTableError where this package or this role can't read it
 */
export async function readPauses(db: Lookup, table: TableName, side?: TableName): Promise<ReadPauses | undefined> {
  const from = side ?? (await readableSide(db))
  if (from === undefined) return undefined
  const plain = db.withoutPlugins()
  const query = sql`select ${read} from ${sql.raw(quotedName(from))} where ${isOf(table)}`.compile(plain)
  const [text] = await textsOf(db, query)
  const [version, rows, now] = JSON.parse(text ?? '') as [version: string, rows: readonly Row[], now: number] // just made
  const pauses = rows.map(keptPause).filter(({ left }) => left > 0)
  return { side: from, version, pauses, now: new Date(now) }
}

async function readableSide(db: Lookup): Promise<TableName | undefined> {
  const found = await findSideTable(db, pausesTable)
  const flaw = found && sideFlaw(found, pausesTable, 'read')
  if (flaw !== undefined) throw new SideTableError('SIDE_TABLE_UNFIT', flaw)
  return found?.table
}

function keptPause([key, reason, until, pausedAt, left, types]: Row): KeptPause {
  return {
    where: Object.keys(key).length === 0 ? undefined : key,
    reason: reason ?? undefined,
    until: until === null ? undefined : new Date(until),
    since: new Date(pausedAt),
    left: left ?? Number.POSITIVE_INFINITY,
    types: types ?? {},
  }
}

/** The same as anybody sees them; none where the job table, or the one that has them, is not there. */
export async function pausesOf(db: Lookup, table: string): Promise<Pause[]> {
  const of = await findTable(db, writtenName(db, table))
  const found = of && (await readPauses(db, of))
  return (found?.pauses ?? []).map(shownPause)
}

/** The pauses of all job tables that go on, by their names as `quotedName` has them; undefined where this role may not read them. */
export async function allPauses(db: Lookup): Promise<ReadonlyMap<string, readonly Pause[]> | undefined> {
  const found = await findSideTable(db, pausesTable)
  if (found === undefined) return new Map()
  if (sideFlaw(found, pausesTable, 'read') !== undefined) return undefined
  const plain = db.withoutPlugins()
  const row = asJsonText([sql`job_schema`, sql`job_table`, pause])
  const query = sql`select ${row} from ${sql.raw(quotedName(found.table))} where ${isActive} order by paused_key`
  const texts = await textsOf(db, query.compile(plain))
  const rows = texts.map((text) => JSON.parse(text ?? '') as [schema: string, name: string, row: Row]) // just made
  const byTable = Map.groupBy(rows, ([schema, name]) => quotedName({ schema, name }))
  return new Map([...byTable].map(([name, some]) => [name, some.map(([, , row]) => shownPause(keptPause(row)))]))
}

const shownPause = ({ left, types, ...shown }: KeptPause): Pause => shown

/** The same for whoever asks for more: undefined where this role may not read them. */
export async function pausesToRead(db: Lookup, table: string): Promise<Pause[] | undefined> {
  try {
    return await pausesOf(db, table)
  } catch (error) {
    if (error instanceof SideTableError) return undefined
    throw error
  }
}
