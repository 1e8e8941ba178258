import { oneJob } from '../../observe/one-job.js'
import type { ExitCode } from '../cli-command.js'
import { looking, type Place, tablesNamed, viewOf, withTables } from '../open/tables.js'
import { jsonText } from '../show/safe-text.js'
import { complain } from '../show/tell.js'
import { OptionError, type Terminal } from '../terminal.js'
import { jobText } from './job-text.js'
import { jobValue } from './job-value.js'
import type { ShownJob } from './shown-job.js'

interface ShowOptions extends Place {
  readonly json?: boolean | undefined
  readonly utc?: boolean | undefined
  readonly table?: string | undefined
}

/** `kysely-jobs show` */
export async function show(options: ShowOptions, terminal: Terminal, given: readonly string[]): Promise<ExitCode> {
  const [first, second] = given
  const [table = options.table, id] = second === undefined ? [undefined, first] : [first, second]
  if (id === undefined) throw new OptionError('Which job? Give its id')
  return withTables(options, terminal, async (opened) => {
    const tables = tablesNamed(opened, table === undefined ? [] : [table])
    const { found, now } = await looking(opened, async (db, now) => {
      const found: ShownJob[] = []
      for (const table of tables) {
        const view = await viewOf(db, table)
        const job = await oneJob(db, view, { id })
        if (job !== undefined) found.push({ table, view, job })
      }
      return { found, now }
    })
    const [shown, ...others] = found
    if (shown === undefined) {
      const places = tables.map(({ written }) => written).join(', ')
      complain(terminal.stderr, `There is no job ${JSON.stringify(id)} in ${places}, nor in an archive of it`)
      return 1
    }
    if (others.length > 0) {
      const places = found.map(({ table }) => table.written).join(', ')
      throw new OptionError(`There is a job of this id in each of ${places}: give --table`)
    }
    const { view, job } = shown
    const value = { table: shown.table.written, ...jobValue(view, job), timeline: job.timeline }
    const times = { now, isUtc: options.utc ?? false }
    terminal.stdout.write(options.json ? `${jsonText(value, 2)}\n` : jobText(shown, times, terminal))
    return 0
  })
}
