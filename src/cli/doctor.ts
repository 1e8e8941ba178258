import { examine } from '../doctor/examine.js'
import type { Finding } from '../doctor/finding.js'
import { clientOf } from './database-url.js'
import { findingsText } from './findings-text.js'
import { fixScript } from './fix-script.js'
import { type Opened, type Place, tablesCalled, withTables } from './open/tables.js'
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
export async function doctor(options: DoctorOptions, terminal: Terminal): Promise<0 | 1> {
  const { listen, types, json = false, 'fix-sql': fixSql = false } = options
  if (json && fixSql) throw new UsageError('--json and --fix-sql are two forms of the same: give one of them')
  if (listen !== undefined) clientOf(listen) // refuses what is no URL, without showing it
  const findings = await withTables(
    options,
    terminal,
    async (opened) => {
      const { db } = opened
      const found = await examine(db, { tables: tablesOf(opened, options.table), listen })
      return types === undefined ? found : [...found, ...(await outOfDate(opened.plain, types))]
    },
    { max: connections },
  )
  terminal.stdout.write(textOf(findings, { json, fixSql }, terminal))
  return findings.some(({ severity }) => severity !== 'advice') ? 1 : 0
}

/** Those that are named, or that the settings name. One that is no job table yet may be what has to be examined. */
function tablesOf({ tables, config }: Opened, given: readonly string[] | undefined): readonly string[] | undefined {
  const names = given ?? (config.tables && [...config.tables.keys()])
  return names?.map((name) => {
    const [only, ...others] = tablesCalled(tables, name)
    return only === undefined || others.length > 0 ? name : only.written
  })
}

function textOf(
  findings: readonly Finding[],
  { json, fixSql }: { readonly json: boolean; readonly fixSql: boolean },
  { stdout, env }: Terminal,
): string {
  if (json) return `${jsonText(findings, 2)}\n`
  if (fixSql) return fixScript(findings)
  return findingsText(findings, stdout.isTTY === true && !env.NO_COLOR)
}
