import type { Finding, FindingCode, Severity } from '../doctor/finding.js'
import { jobColumnNames, optionalColumnNames } from '../schema/columns.js'
import type { SeenTable } from './seen-table.js'
import type { Warning } from './warning.js'

const tones: Readonly<Record<Severity, Warning['tone']>> = { error: 'bad', warning: 'warn', advice: 'info' }

/** What may name columns of the user's. */
const namesColumns: ReadonlySet<FindingCode> = new Set<FindingCode>([
  'archive-unfit',
  'broken-index',
  'broken-unique-index',
  'costly-index',
  'few-privileges',
])

/** A finding as a page tells it; of what is hidden no more than that there is one. */
export function findingWarning(finding: Finding, table?: SeenTable): Warning {
  const { code, severity, what, why, remedy, sql, migration } = finding
  const tone = tones[severity]
  if (table !== undefined && namesColumns.has(code) && hiddenIn(finding, table))
    return {
      tone,
      code,
      what: `${code}: of a column that is hidden here`,
      remedy: 'npx kysely-jobs doctor tells of it.',
    }
  return { tone, code, what: what.replace(/\.$/, ''), why, remedy, sql, migration }
}

const ofQueue: ReadonlySet<string> = new Set([...jobColumnNames, ...optionalColumnNames])

function hiddenIn({ what, why, remedy, sql = [], migration = '' }: Finding, { hidden }: SeenTable): boolean {
  const text = [what, why, remedy, migration, ...sql].join()
  return hidden.some((name) => !ofQueue.has(name) && text.includes(name))
}

/** The doctor itself failed. */
export function unexamined(error: unknown): Warning {
  const text = error instanceof Error ? error.message : String(error)
  const remedy = 'It is tried again within a minute or two; npx kysely-jobs doctor asks by a connection of its own.'
  return { tone: 'warn', what: 'The tables and their server could not be examined', why: `${text}.`, remedy }
}
