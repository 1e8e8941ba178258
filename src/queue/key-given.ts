import { sql } from 'kysely'
import { sqlState } from '../pg/error-class.js'
import { jobColumnNames, optionalColumnNames } from '../schema/columns.js'
import type { Lookup } from '../schema/identify.js'
import { inspectJobTable } from '../schema/inspect.js'
import type { Jobs } from '../schema/job-database.js'
import { own } from '../schema/own-names.js'
import { shown } from '../schema/shown.js'
import { asText, textsOf } from '../schema/text.js'
import { isUnfitForKeys, textOfKey } from './key-text.js'
import { isNotPaused, type PausedKey } from './paused-keys.js'
import { realNames } from './returned.js'

/** Columns and values that are no key; the message has the reason. */
export class JobKeyError extends TypeError {
  override readonly name = 'JobKeyError'
  readonly code = 'INVALID_KEY'
}

/** Each value of a key has so many characters at most: it goes into an index, and into statements. */
const longestValue = 500

/**
 * A key as it is kept: by the columns' real names, each value as Postgres writes one of the column's type, so that two ways to write it
 * are one key. That of the whole table has no columns.
 * @throws JobKeyError, NoSuchTableError, JobTableError
 */
export async function keyGiven(jobs: Jobs, where: object | undefined): Promise<PausedKey> {
  const { columns } = await inspectJobTable(jobs.db, jobs.name)
  if (where === undefined) return {}
  const given = valuesGiven(where)
  const names = realNames(jobs, [...given.keys()])
  const managed = [...jobColumnNames, ...optionalColumnNames].find((name) => names.includes(name))
  if (managed !== undefined)
    throw new JobKeyError(`where: '${managed}' is the queue's; a key is of columns of your own`)
  const types = names.map((name) => columns.get(name))
  const missing = [...given.keys()].find((_, n) => types[n] === undefined)
  if (missing !== undefined)
    throw new JobKeyError(`where: ${jobs.name} has no column '${missing}'; there are ${[...columns.keys()].join(', ')}`)
  const unfit = types.findIndex((type = '') => isUnfitForKeys(type))
  if (unfit >= 0)
    throw new JobKeyError(
      `where: '${names[unfit]}' is of type ${types[unfit]}, of which one value has several texts, or no equality; take a column of another type`,
    )
  const values = [...given.values()]
  const written = values.map((value, n) => {
    const type = types[n] ?? 'text'
    return textOfKey(sql`${value}::text::${sql.raw(withoutLength(type))}`, type)
  })
  try {
    const query = jobs.db
      .selectNoFrom(asText(sql`pg_catalog.json_build_array(${sql.join(written)})`, own.text))
      .compile()
    const [text] = await textsOf(jobs.db, query)
    const texts = JSON.parse(text ?? '') as string[] // just made
    const key = Object.fromEntries(names.map((name, n) => [name, texts[n] ?? '']))
    await proveKey(jobs.db, key, Object.fromEntries(names.map((name, n) => [name, types[n] ?? null])))
    return key
  } catch (error) {
    if (!/^(?:22|42)/.test(sqlState(error) ?? '')) throw error
    throw new JobKeyError(`where: Postgres refuses the key: ${error instanceof Error ? error.message : String(error)}`)
  }
}

/**
 * Whether Postgres can compare the values of a key with columns of these types: no table is read for that, which somebody may have locked.
 * @throws what it says, where not
 */
export async function proveKey(
  db: Lookup,
  key: PausedKey,
  types: Readonly<Record<string, string | null>>,
): Promise<void> {
  const columnOf = (name: string) => sql`null::${sql.raw(withoutLength(types[name] ?? 'text'))}`
  const plain = db.withoutPlugins()
  await textsOf(db, sql`select ${asText(isNotPaused([key], columnOf))}`.compile(plain))
}

/** A cast to a type of a length would cut a value, and so make another key of it. */
function withoutLength(type: string): string {
  if (type.includes('"')) return type
  return type.replace(/^character(?=\()/, 'bpchar').replace(/\([\d, ]+\)/, '')
}

function valuesGiven(where: unknown): Map<string, string> {
  const entries = typeof where === 'object' && where !== null && !Array.isArray(where) ? Object.entries(where) : []
  if (entries.length === 0)
    throw new JobKeyError(
      `where: ${shown(where)} is invalid; give columns and values, as in { tenant_id: 5 }, or leave it out for the whole table`,
    )
  return new Map(entries.map(([name, value]) => [name, textOf(name, value)]))
}

function textOf(name: string, value: unknown): string {
  const isScalar =
    ['string', 'bigint', 'boolean'].includes(typeof value) || (typeof value === 'number' && Number.isFinite(value))
  const text = String(value)
  if (!isScalar || text.includes('\0') || text.length > longestValue)
    throw new JobKeyError(
      `where.${name}: ${isScalar ? `the text of ${text.length} characters` : shown(value)} is invalid; give a text of at most ${longestValue} characters, a number or a boolean`,
    )
  return text
}
