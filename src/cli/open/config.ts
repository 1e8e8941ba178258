import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { importFile } from './import-file.js'

/** How a job table is shown. */
export interface ConfiguredTable {
  /** The own columns that lists show. */
  readonly columns?: readonly string[]
  /** Columns whose values are never shown. */
  readonly hide?: readonly string[]
}

/** What `kysely-jobs.config.ts` exports by default. */
export interface Config {
  readonly url?: string
  /** The schema of plain table names, as the program's `db.withSchema(...)` has it. */
  readonly schema?: string
  /** The job tables that commands are about where none is named. Default: all of the database. */
  readonly tables?: ReadonlyMap<string, ConfiguredTable>
}

/** A file of settings that is missing, or says what can't be meant. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly code = 'CONFIG'
}

const names = ['ts', 'mts', 'js', 'mjs'].map((ending) => `kysely-jobs.config.${ending}`)

/**
 * Reads the file of settings that is named, or the one of this folder.
 * @throws ConfigError
 */
export async function readConfig(named: string | undefined): Promise<Config> {
  const found = named ?? names.find((name) => existsSync(join(process.cwd(), name)))
  if (found === undefined) return {}
  const path = resolve(found)
  if (!existsSync(path)) throw new ConfigError(`There is no file ${found}: check --config`)
  const { default: config } = await quietly(() => importFile(path, found))
  try {
    return configOf(await config)
  } catch (error) {
    throw new ConfigError(`${found}: ${error instanceof Error ? error.message : String(error)}`)
  }
}

/** What a file of settings prints (dotenv does) goes to stderr: stdout is the command's answer. */
async function quietly<T>(action: () => Promise<T>): Promise<T> {
  const { log, info, debug, error } = console
  Object.assign(console, { log: error, info: error, debug: error })
  try {
    return await action()
  } finally {
    Object.assign(console, { log, info, debug })
  }
}

const known = ['url', 'schema', 'tables']

/** @throws ConfigError */
function configOf(given: unknown): Config {
  const config = recordOf(given, 'it', "export default { url, tables: ['mail_jobs'] }")
  refuseUnknown(config, known, '')
  const { url, schema, tables } = config
  for (const [name, value] of Object.entries({ url, schema }))
    if (value !== undefined && typeof value !== 'string') throw new ConfigError(`${name} is invalid: give a text`)
  return {
    ...(typeof url === 'string' && { url }),
    ...(typeof schema === 'string' && { schema }),
    ...(tables !== undefined && { tables: tablesOf(tables) }),
  }
}

function tablesOf(given: unknown): ReadonlyMap<string, ConfiguredTable> {
  const sample = "tables: ['mail_jobs'], or tables: { mail_jobs: { columns: ['to'] } }"
  const entries: [unknown, unknown][] = Array.isArray(given)
    ? given.map((name) => [name, {}])
    : Object.entries(recordOf(given, 'tables', sample))
  return new Map(
    entries.map(([name, options]) => {
      if (typeof name !== 'string' || name === '')
        throw new ConfigError(`tables is invalid: give names, as in ${sample}`)
      const { columns, hide, ...others } = recordOf(options, `tables.${name}`, "{ columns: ['to'], hide: ['token'] }")
      refuseUnknown(others, ['columns', 'hide'], `tables.${name}.`)
      return [name, { ...listOf(`tables.${name}`, 'columns', columns), ...listOf(`tables.${name}`, 'hide', hide) }]
    }),
  )
}

function listOf(of: string, option: 'columns' | 'hide', list: unknown): ConfiguredTable {
  if (list === undefined) return {}
  if (!Array.isArray(list) || !list.every((name): name is string => typeof name === 'string'))
    throw new ConfigError(`${of}.${option} is invalid: give names of columns`)
  return { [option]: list }
}

function recordOf(given: unknown, what: string, sample: string): Readonly<Record<string, unknown>> {
  if (typeof given === 'object' && given !== null && !Array.isArray(given)) return { ...given }
  throw new ConfigError(`${what} is invalid: write ${sample}`)
}

function refuseUnknown(given: object, options: readonly string[], of: string): void {
  const unknown = Object.keys(given).filter((name) => !options.includes(name))
  if (unknown.length > 0)
    throw new ConfigError(
      `${unknown.map((name) => of + name).join(', ')}: no such option; there are ${options.join(', ')}`,
    )
}
