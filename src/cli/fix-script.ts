import type { Finding } from '../doctor/finding.js'
import { oneLine } from './findings-text.js'

const head = `-- What mends what kysely-jobs doctor has found. Read it first, then run it as the owner of the tables, outside of a
-- transaction, as some statements can't be in one: psql "$DATABASE_URL" -f <this file>
`

/** One script of all remedies that are SQL; the others are told in comments. */
export function fixScript(findings: readonly Finding[]): string {
  return [head, ...findings.map(part)].join('\n')
}

function part({ severity, code, what, remedy, sql = [], migration }: Finding): string {
  const comments = [`${severity} ${code}: ${what}`, sql.length > 0 ? remedy : `By hand: ${remedy}`]
  if (migration !== undefined) comments.push(`The same in a migration: ${migration}`)
  // On one line each, as whatever follows a line break would be run.
  const lines = [...comments.map((text) => `-- ${oneLine(text)}`), ...sql.map((statement) => `${statement};`)]
  return lines.map((line) => `${line}\n`).join('')
}
