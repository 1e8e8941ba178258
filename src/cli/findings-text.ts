import type { Finding, Severity } from '../doctor/finding.js'
import { unsafe } from './show/safe-text.js'

const order = ['error', 'warning', 'advice'] as const satisfies readonly Severity[]

/** As ANSI numbers colours. */
const colours: Readonly<Record<Severity, number>> = { error: 31, warning: 33, advice: 36 }

/** Findings as people read them, the worst first. */
export function findingsText(findings: readonly Finding[], isColoured: boolean): string {
  const marked = (code: number, text: string) => (isColoured ? `\u001b[${code}m${text}\u001b[0m` : text)
  const groups = order.flatMap((severity) => {
    const some = findings.filter((each) => each.severity === severity)
    if (some.length === 0) return []
    const title = marked(1, marked(colours[severity], titles[severity]))
    return [[title, ...some.map((each) => paragraph(each, (text) => marked(1, text)))].join('\n\n')]
  })
  const counts = order.map((severity) => numberOf(severity, findings)).filter((text) => text !== '')
  const isMended = findings.some(({ sql }) => sql !== undefined)
  const hint = isMended ? ' kysely-jobs doctor --fix-sql prints the SQL as one script.' : ''
  return `${groups.join('\n\n')}\n\n${counts.join(', ')}.${hint}\n`
}

const titles: Readonly<Record<Severity, string>> = { error: 'ERRORS', warning: 'WARNINGS', advice: 'ADVICE' }

function numberOf(severity: Severity, findings: readonly Finding[]): string {
  const count = findings.filter((each) => each.severity === severity).length
  if (count === 0) return ''
  if (severity === 'advice') return `${count} piece${count === 1 ? '' : 's'} of advice`
  return `${count} ${severity}${count === 1 ? '' : 's'}`
}

function paragraph({ code, what, why, remedy, sql = [], migration }: Finding, bold: (text: string) => string): string {
  // A statement of many lines is a function's: the call that makes it says the same.
  const short = sql.filter((statement) => !statement.includes('\n'))
  return [
    `  ${bold(code)}`,
    `  ${oneLine(what)}`,
    `  ${oneLine(why)}`,
    `  ${oneLine(remedy)}`,
    ...(short.length === sql.length ? short.map((statement) => `      ${printable(statement)};`) : []),
    ...(migration === undefined ? [] : [`      in a migration: ${oneLine(migration)}`]),
  ].join('\n')
}

/** A text that can't have a terminal do anything: names of tables may hold any character. */
function printable(text: string): string {
  return text.replaceAll(unsafe, '\ufffd')
}

/** The same, on one line. */
export function oneLine(text: string): string {
  return printable(text.replaceAll(/\s+/g, ' '))
}
