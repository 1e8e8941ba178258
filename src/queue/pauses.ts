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
  /** The types of its key's columns as they are now, by their names; of what the job table has not got any more, none. */
  readonly types: Readonly<Record<string, string>>
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

/** The moment of a statement about pauses: one that is stable, as Citus has no other where it writes. */
export const moment: RawBuilder<Date> = sql`statement_timestamp()`

/** Whether a pause goes on. */
export const isActive = sql<boolean>`(until is null or until > ${moment})`

/** Where the pauses of a job table are written. */
export interface PausesPlace {
  /** The job table. */
  readonly of: TableName
  /** The table that has them, or by which name it would be found. */
  readonly side: TableName | { readonly missing: WrittenName }
}

/** Where a table of pauses would be found that is not there. */
export const missingSide = (db: Lookup) => ({ missing: writtenName(db, pausesTable.name) })

/**
 * A text that changes when a row of the job table's pauses does: for a poll. Null: there is no table that has them. Where it is missing by the
 * catalog itself, as a node of Citus knows other tables than who is asked.
 */
export function pausesVersion({ of, side }: PausesPlace): RawBuilder<string | null> {
  if ('missing' in side)
    return sql`(select c.oid::text from pg_catalog.pg_class c where c.oid = pg_catalog.to_regclass(${quotedName(side.missing)}))`
  return sql`(select ${version} from ${sql.raw(quotedName(side))} where ${isOf(of)})`
}

const version = sql<string>`pg_catalog.md5(coalesce(pg_catalog.string_agg(
  pg_catalog.concat_ws(' ', paused_key::text, extract(epoch from until), extract(epoch from paused_at), reason), ',' order by paused_key), ''))`

const milliseconds = (time: string) => sql.raw(`(extract(epoch from ${time}) * 1000)::numeric`)

const left = sql`${milliseconds('until')} - ${milliseconds('statement_timestamp()')}`

const pause = sql`pg_catalog.json_build_array(paused_key, reason, ${milliseconds('until')}, ${milliseconds('paused_at')}, ${left})`

const read = asJsonText([
  version,
  sql`coalesce(pg_catalog.json_agg(${pause} order by paused_key), '[]')`,
  milliseconds('statement_timestamp()'),
])

type Row = readonly [key: PausedKey, reason: string | null, until: number | null, pausedAt: number, left: number | null]

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
  const active = rows.map(activePause).filter(({ left }) => left > 0)
  const types = await typesOf(db, table, new Set(active.flatMap(({ where = {} }) => Object.keys(where))))
  return { side: from, version, pauses: active.map((pause) => ({ ...pause, types })), now: new Date(now) }
}

/** By a statement of its own: Citus joins no table of a node with its catalog. */
async function typesOf(db: Lookup, table: TableName, names: ReadonlySet<string>): Promise<KeptPause['types']> {
  if (names.size === 0) return {}
  const plain = db.withoutPlugins()
  const query = sql`
    select ${asJsonText([sql`a.attname`, sql`pg_catalog.format_type(a.atttypid, a.atttypmod)`])}
    from pg_catalog.pg_attribute a where a.attrelid = pg_catalog.to_regclass(${quotedName(table)}) and not a.attisdropped
      and a.attname = any(${[...names]}::name[])`
  const texts = await textsOf(db, query.compile(plain))
  return Object.fromEntries(texts.map((text) => JSON.parse(text ?? '') as [name: string, type: string])) // just made
}

async function readableSide(db: Lookup): Promise<TableName | undefined> {
  const found = await findSideTable(db, pausesTable)
  const flaw = found && sideFlaw(found, pausesTable, 'read')
  if (flaw !== undefined) throw new SideTableError('SIDE_TABLE_UNFIT', flaw)
  return found?.table
}

function activePause([key, reason, until, pausedAt, left]: Row): Omit<KeptPause, 'types'> {
  return {
    where: Object.keys(key).length === 0 ? undefined : key,
    reason: reason ?? undefined,
    until: until === null ? undefined : new Date(until),
    since: new Date(pausedAt),
    left: left ?? Number.POSITIVE_INFINITY,
  }
}

/** The same as anybody sees them; none where the job table, or the one that has them, is not there. */
export async function pausesOf(db: Lookup, table: string): Promise<Pause[]> {
  const of = await findTable(db, writtenName(db, table))
  const found = of && (await readPauses(db, of))
  return (found?.pauses ?? []).map(({ types, ...pause }) => shownPause(pause))
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
  return new Map([...byTable].map(([name, some]) => [name, some.map(([, , row]) => shownPause(activePause(row)))]))
}

const shownPause = ({ left, ...shown }: Omit<KeptPause, 'types'>): Pause => shown

/** The same for whoever asks for more: undefined where this role may not read them. */
export async function pausesToRead(db: Lookup, table: string): Promise<Pause[] | undefined> {
  try {
    return await pausesOf(db, table)
  } catch (error) {
    if (error instanceof SideTableError) return undefined
    throw error
  }
}
