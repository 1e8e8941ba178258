import { type OptionalColumnName, optionalColumnNames } from '../schema/columns.js'

export interface JobColumnOptions {
  /**
   * The type of `id`: `uuid` (default; made by `uuidv7()` where the server has it, else by `gen_random_uuid()`),
   * `bigint` or `int` (counted), or `text` (no default: whoever inserts gives it).
   */
  readonly id?: 'uuid' | 'bigint' | 'int' | 'text'
  /** `status` as the enum `job_status` (default; shared by all job tables), or as text with a CHECK. */
  readonly status?: 'enum' | 'text'
  /**
   * Optional columns, each for an ability: `priority` (smallint, higher runs first), `max_attempts` (int), `result`
   * (jsonb), `started_at`, `finished_at`, `errors` (jsonb). Default: none.
   */
  readonly columns?: readonly OptionalColumnName[]
}

export interface JobTableOptions extends JobColumnOptions {
  /**
   * `trigger` (default): inserts and retries wake the workers at once. `none`: commits stay free of NOTIFY's lock;
   * workers find jobs by polling, or are woken by `notifyWorkers` after the commit.
   */
  readonly notify?: 'trigger' | 'none'
}

/** An option with a value it can't have; the message holds both and the choice. */
export class JobTableOptionError extends TypeError {
  override readonly name = 'JobTableOptionError'
  readonly code = 'INVALID_OPTION'
}

const choices = {
  id: ['uuid', 'bigint', 'int', 'text'],
  status: ['enum', 'text'],
  notify: ['trigger', 'none'],
  columns: optionalColumnNames,
  concurrently: [true, false],
} as const

type OptionName = keyof typeof choices

/**
 * @param columns the names that the option `columns` takes
 * @throws JobTableOptionError
 */
export function checkOptions(
  options: object,
  allowed: readonly OptionName[],
  columns: readonly string[] = choices.columns,
): void {
  for (const [name, value] of Object.entries(options)) {
    const option = allowed.find((known) => known === name)
    if (option === undefined) {
      throw new JobTableOptionError(`There is no option ${JSON.stringify(name)} here; there is ${allowed.join(', ')}`)
    }
    if (value === undefined) continue
    if (option !== 'columns') checkChoice(option, value, choices[option])
    else if (Array.isArray(value)) for (const column of value) checkChoice(option, column, columns)
    else throw new JobTableOptionError(`columns: ${shown(value)} is no array; give names, as in ['priority', 'result']`)
  }
}

function checkChoice(option: OptionName, value: unknown, known: readonly unknown[]): void {
  if (known.includes(value)) return
  throw new JobTableOptionError(`${option}: ${shown(value)} is none of ${known.map(shown).join(', ')}`)
}

function shown(value: unknown): string {
  return typeof value === 'string' ? `'${value}'` : String(value)
}
