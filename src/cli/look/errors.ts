import { type ErrorGroup, type ErrorGroups, errorGroups } from '../../observe/error-groups.js'
import { looking, type Place, tablesNamed, viewOf, withTables } from '../open/tables.js'
import { paintFor } from '../show/paint.js'
import { jsonText } from '../show/safe-text.js'
import { type Column, tableText } from '../show/table-text.js'
import { tell } from '../show/tell.js'
import { type Times, timeText } from '../show/times.js'
import type { Terminal } from '../terminal.js'

interface ErrorsOptions extends Place {
  readonly json?: boolean | undefined
  readonly utc?: boolean | undefined
  readonly table?: readonly string[] | undefined
}

interface TableErrors extends ErrorGroups {
  readonly table: string
}

/** `kysely-jobs errors` */
export async function errors(options: ErrorsOptions, terminal: Terminal, named: string | undefined): Promise<0> {
  const names = [...(named === undefined ? [] : [named]), ...(options.table ?? [])]
  const { found, now } = await withTables(options, terminal, (opened) => {
    const tables = tablesNamed(opened, names)
    return looking(opened, async (db, now) => {
      const found: TableErrors[] = []
      for (const table of tables) {
        const view = await viewOf(db, table)
        // Where they are hidden nobody may know of them.
        const isHidden = !view.columns.some(({ name }) => name === 'last_error')
        const none = { groups: [], others: 0, looked: { at: 0, isAll: true } }
        const groups = isHidden ? none : await errorGroups(db, view)
        found.push({ table: table.written, ...groups })
      }
      return { found, now }
    })
  })
  if (options.json) terminal.stdout.write(`${jsonText({ tables: found }, 2)}\n`)
  else terminal.stdout.write(errorsText(found, { now, isUtc: options.utc ?? false }, terminal))
  for (const { table, others, looked } of options.json ? [] : found) {
    if (others > 0) tell(terminal.stderr, `${table}: ${others} more kinds of errors`)
    if (!looked.isAll) tell(terminal.stderr, `${table}: of each status the latest ${looked.at} jobs were looked at`)
  }
  return 0
}

function errorsText(found: readonly TableErrors[], times: Times, terminal: Terminal): string {
  const rows = found.flatMap(({ table, groups }) => groups.map((group) => ({ ...group, table })))
  if (rows.length === 0) return 'No job fails.\n'
  const of: Column<ErrorGroup & { table: string }> = { title: 'TABLE', text: ({ table }) => table, least: 12 }
  const columns: Column<ErrorGroup & { table: string }>[] = [
    ...(found.length > 1 ? [of] : []),
    { title: 'KIND', text: ({ fingerprint }) => fingerprint },
    { title: 'JOBS', text: ({ count }) => String(count), isNumber: true },
    { title: 'FAILED', text: ({ failed }) => String(failed), isNumber: true },
    { title: 'RETRYING', text: ({ retrying }) => String(retrying), isNumber: true },
    { title: 'FIRST SEEN', text: ({ firstSeen }) => timeText(firstSeen, times) },
    { title: 'LAST SEEN', text: ({ lastSeen }) => timeText(lastSeen, times) },
    { title: 'ERROR', text: ({ message }) => (message === '' ? '(no message)' : message), least: 20 },
  ]
  const title = paintFor(terminal.stdout, terminal).quiet
  return tableText(columns, rows, { width: terminal.stdout.columns, title })
}
