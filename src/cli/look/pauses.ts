import { listPauses } from '../../queue/pause.js'
import type { Pause } from '../../queue/pauses.js'
import { jobsOf } from '../../schema/job-database.js'
import { findSideTable, pausesTable } from '../../schema/side-table.js'
import { looking, type Place, tablesNamed, withTables } from '../open/tables.js'
import { keyText } from '../show/key-text.js'
import { paintFor } from '../show/paint.js'
import { jsonText } from '../show/safe-text.js'
import { tableText } from '../show/table-text.js'
import { timeText } from '../show/times.js'
import type { Terminal } from '../terminal.js'

interface PausesOptions extends Place {
  readonly json?: boolean | undefined
  readonly utc?: boolean | undefined
  readonly table?: readonly string[] | undefined
}

const noTable = `, nor can be: ${pausesTable.madeBy}(db) of kysely-jobs/migrate makes the table for it`

/** `kysely-jobs pauses` */
export async function pauses(options: PausesOptions, terminal: Terminal, named: string | undefined): Promise<0> {
  const names = [...(named === undefined ? [] : [named]), ...(options.table ?? [])]
  const { found, now, isThere } = await withTables(options, terminal, (opened) =>
    looking(opened, async (db, now) => {
      const found: (Pause & { readonly table: string })[] = []
      for (const { written } of tablesNamed(opened, names)) {
        const { name } = jobsOf(db, written)
        for (const pause of await listPauses(db, name)) found.push({ table: written, ...pause })
      }
      const isThere = found.length > 0 || (await findSideTable(db, pausesTable)) !== undefined
      return { found, now, isThere }
    }),
  )
  const times = { now, isUtc: options.utc ?? false }
  if (options.json) {
    const values = found.map(({ where = null, reason = null, until = null, ...pause }) => ({
      ...pause,
      where,
      reason,
      until,
    }))
    terminal.stdout.write(`${jsonText({ pauses: values }, 2)}\n`)
  } else if (found.length === 0) terminal.stdout.write(`Nothing is paused${isThere ? '' : noTable}.\n`)
  else {
    const { stdout } = terminal
    const text = tableText<(typeof found)[number]>(
      [
        { title: 'TABLE', text: ({ table }) => table, least: 12 },
        { title: 'KEY', text: ({ where }) => (where === undefined ? 'the whole table' : keyText(where)), least: 12 },
        { title: 'SINCE', text: ({ since }) => timeText(since, times) },
        { title: 'UNTIL', text: ({ until }) => (until === undefined ? 'resumed' : timeText(until, times)) },
        { title: 'REASON', text: ({ reason }) => reason ?? '-', least: 12 },
      ],
      found,
      { width: stdout.columns, title: paintFor(stdout, terminal).quiet },
    )
    stdout.write(text)
  }
  return 0
}
