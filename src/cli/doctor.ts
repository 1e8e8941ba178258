import { examine } from '../doctor/examine.js'
import type { Finding } from '../doctor/finding.js'
import { nearest } from '../observe/nearest.js'
import { NoSuchTableError } from '../schema/identify.js'
import { clientOf } from './database-url.js'
import { findingsText, oneLine } from './findings-text.js'
import { fixScript } from './fix-script.js'
import { type Opened, type Place, TableError, tablesCalled, withTables } from './open/tables.js'
import { outOfDate } from './out-of-date.js'
import { jsonText } from './show/safe-text.js'
import { type Terminal, UsageError } from './terminal.js'

export interface DoctorOptions extends Place {
  readonly table?: readonly string[] | undefined
  readonly listen?: string | undefined
  readonly types?: string | undefined
  readonly json?: boolean | undefined
  readonly 'fix-sql'?: boolean | undefined
}

/** Two at a time tell whether there is a pooler. */
const connections = 2

/** `kysely-jobs doctor`: prints what is found. */
export async function doctor(
  options: DoctorOptions,
  terminal: Terminal,
  named: readonly string[] = [],
): Promise<0 | 1> {
  const { listen, types, json = false, 'fix-sql': fixSql = false } = options
  if (json && fixSql) throw new UsageError('--json and --fix-sql are two forms of the same: give one of them')
  if (listen !== undefined) clientOf(listen) // refuses what is no URL, without showing it
  const given = [...named, ...(options.table ?? [])]
  const { findings, examined } = await withTables(
    options,
    terminal,
    async (opened) => {
      const { db, tables: all } = opened
      const tables = tablesOf(opened, given)
      const found = await examine(db, { tables, listen }).catch((error: unknown) => {
        throw nearTable(error, opened, tables)
      })
      const findings = types === undefined ? found : [...found, ...(await outOfDate(opened.plain, types))]
      return { findings, examined: tables ?? all.map(({ written }) => written) }
    },
    { max: connections },
  )
  terminal.stdout.write(textOf(findings, { json, fixSql, examined }, terminal))
  return findings.some(({ severity }) => severity !== 'advice') ? 1 : 0
}

/** Those that are named, or that the settings name. One that is no job table yet may be what has to be examined. */
function tablesOf({ tables, config }: Opened, given: readonly string[]): readonly string[] | undefined {
  const names = given.length > 0 ? given : config.tables && [...config.tables.keys()]
  return names?.map((name) => {
    const [only, ...others] = tablesCalled(tables, name)
    return only === undefined || others.length > 0 ? name : only.written
  })
}

/** Of a table that is not there, the job table that may be meant. */
function nearTable(error: unknown, { tables }: Opened, names: readonly string[] = []): unknown {
  if (!(error instanceof NoSuchTableError)) return error
  const missing = names.find((name) => error.message.includes(JSON.stringify(name)))
  const near =
    missing &&
    nearest(
      missing,
      tables.map(({ written }) => written),
    ) // prettier than all names
  return near ? new TableError(`There is no table ${missing}; did you mean ${near}?`) : error
}

interface Form {
  readonly json: boolean
  readonly fixSql: boolean
  readonly examined: readonly string[]
}

function textOf(findings: readonly Finding[], { json, fixSql, examined }: Form, { stdout, env }: Terminal): string {
  if (json) return `${jsonText(findings, 2)}\n`
  if (fixSql) return fixScript(findings)
  if (findings.length === 0) return `Nothing is wrong with ${oneLine(examined.join(', '))}, nor with the server.\n`
  return findingsText(findings, stdout.isTTY === true && !env.NO_COLOR)
}
