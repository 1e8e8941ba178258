import { examine } from '../doctor/examine.js'
import type { Finding } from '../doctor/finding.js'
import { withDatabase } from './database.js'
import { clientOf } from './database-url.js'
import { findingsText } from './findings-text.js'
import { fixScript } from './fix-script.js'
import { outOfDate } from './out-of-date.js'
import { type Terminal, UsageError } from './terminal.js'

export interface DoctorOptions {
  readonly url: string | undefined
  readonly tables: readonly string[] | undefined
  readonly listen: string | undefined
  readonly types: string | undefined
  readonly json: boolean
  readonly fixSql: boolean
}

/** Two at a time tell whether there is a pooler. */
const connections = 2

/** `kysely-jobs doctor`: prints what is found. */
export async function doctor(options: DoctorOptions, terminal: Terminal): Promise<0 | 1> {
  const { url, tables, listen, types, json, fixSql } = options
  if (json && fixSql) throw new UsageError('--json and --fix-sql are two forms of the same: give one of them')
  if (listen !== undefined) clientOf(listen) // refuses what is no URL, without showing it
  const findings = await withDatabase(
    url ?? terminal.env.DATABASE_URL,
    async (db) => {
      const found = await examine(db, { tables, listen })
      return types === undefined ? found : [...found, ...(await outOfDate(db, types))]
    },
    { max: connections },
  )
  terminal.stdout.write(textOf(findings, { json, fixSql }, terminal))
  return findings.some(({ severity }) => severity !== 'advice') ? 1 : 0
}

function textOf(
  findings: readonly Finding[],
  { json, fixSql }: Pick<DoctorOptions, 'json' | 'fixSql'>,
  { stdout, env }: Terminal,
): string {
  if (json) return `${JSON.stringify(findings, null, 2)}\n`
  if (fixSql) return fixScript(findings)
  return findingsText(findings, stdout.isTTY === true && !env.NO_COLOR)
}
