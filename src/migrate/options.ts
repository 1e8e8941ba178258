import { type OptionalColumnName, optionalColumnNames } from '../schema/columns.js'
import type { EngineOptions } from '../schema/engines/engine.js'
import { engineFlaw } from '../schema/engines/given.js'
import type { JobArchiveOptions } from './archive-options.js'

/** What DDL may be told of the engine. */
export interface EngineChoice {
  /** What the database's engine is, or lacks, where that is not found out: `{ name: 'YugabyteDB' }`, `{ triggers: 'none' }`. Default: as the server says. */
  readonly engine?: EngineOptions | undefined
}

export interface JobColumnOptions extends EngineChoice {
  /**
   * The type of `id`: `uuid` (default; made by `uuidv7()` where the server has it, else by `gen_random_uuid()`),
   * `bigint` or `int` (counted), or `text` (no default: whoever inserts gives it).
   */
  readonly id?: 'uuid' | 'bigint' | 'int' | 'text'
  /** `status` as the enum `job_status` (default, where the engine has enums; shared by all job tables), or as text with a CHECK. */
  readonly status?: 'enum' | 'text'
  /**
   * Optional columns, each for an ability: `priority` (smallint, higher runs first), `max_attempts` (int), `result`
   * (jsonb), `started_at`, `finished_at`, `errors` (jsonb). Default: none.
   */
  readonly columns?: readonly OptionalColumnName[]
}

/** A set of columns by which jobs are unique, or with what `createUniqueIndex` takes. */
export type UniqueColumns =
  | readonly string[]
  | {
      readonly columns: readonly string[]
      readonly whileRunning?: 'ignore' | 'queue' | undefined
      readonly within?: boolean | undefined
    }

export interface JobTableOptions extends JobColumnOptions {
  /**
   * `trigger` (default, where the engine has triggers and LISTEN): inserts and retries wake the workers at once. `none`: commits stay free
   * of NOTIFY's lock; workers find jobs by polling, or are woken by `notifyWorkers` after the commit.
   */
  readonly notify?: 'trigger' | 'none'
  /** Where finished jobs go when a worker's options say so, as {@link createJobArchive} makes it. Default: no archive. */
  readonly archive?: JobArchiveOptions | undefined
  /**
   * On Citus: the column by whose values the table is spread over nodes, the tenant say; `bucket`, where you have none, is made. The primary
   * key is then this column and the id, and there are no triggers. Default: the table is on the node that is asked.
   */
  readonly distributeBy?: string | undefined
  /** Sets of your own columns by which jobs are to be unique, each with its index, as {@link createUniqueIndex} makes it. Default: none. */
  readonly unique?: readonly UniqueColumns[] | undefined
}

/** An option with a value it can't have; the message holds both and the choice. */
export class JobTableOptionError extends TypeError {
  override readonly name = 'JobTableOptionError'
  readonly code = 'INVALID_OPTION'
}

/** The values that an option may have, or of `columns` its members. */
type Choices = Readonly<Record<string, readonly unknown[]>>

export const columnChoices = {
  id: ['uuid', 'bigint', 'int', 'text'],
  status: ['enum', 'text'],
  columns: optionalColumnNames,
}

/** @throws JobTableOptionError */
export function checkOptions(options: object, choices: Choices): void {
  for (const [name, value] of Object.entries(options)) {
    const known = Object.hasOwn(choices, name) ? choices[name] : undefined
    if (known === undefined) {
      const names = Object.keys(choices).join(', ')
      throw new JobTableOptionError(`There is no option ${JSON.stringify(name)} here; there is ${names}`)
    }
    if (value === undefined) continue
    if (name === 'engine') {
      const flaw = engineFlaw(value)
      if (flaw === undefined) continue
      throw new JobTableOptionError(`engine${flaw}`)
    }
    if (name === 'columns' && !Array.isArray(value)) {
      throw new JobTableOptionError(`columns: ${shown(value)} is no array; give names, as in ['priority', 'result']`)
    }
    for (const each of name === 'columns' ? value : [value]) {
      if (known.includes(each)) continue
      throw new JobTableOptionError(`${name}: ${shown(each)} is none of ${known.map(shown).join(', ')}`)
    }
  }
}

function shown(value: unknown): string {
  return typeof value === 'string' ? `'${value}'` : String(value)
}
