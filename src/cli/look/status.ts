import { setTimeout } from 'node:timers/promises'
import { observedTables } from '../../observe/observed-table.js'
import { overviewOf } from '../../observe/overview.js'
import { lengthIn } from '../open/length.js'
import { looking, type Opened, type Place, tablesNamed, withTables } from '../open/tables.js'
import { jsonText } from '../show/safe-text.js'
import { complain } from '../show/tell.js'
import { OptionError, stopSignal, type Terminal } from '../terminal.js'
import { type SeenStatus, statusLines, statusTable, statusValue } from './status-text.js'

interface StatusOptions extends Place {
  readonly json?: boolean | undefined
  readonly table?: readonly string[] | undefined
  readonly watch?: boolean | undefined
  readonly every?: string | undefined
}

/** `kysely-jobs status` */
export async function status(options: StatusOptions, terminal: Terminal, named: string | undefined): Promise<0> {
  const names = [...(named === undefined ? [] : [named]), ...(options.table ?? [])]
  const interval = intervalIn(options)
  await withTables(options, terminal, async (opened) => {
    if (options.watch) return watch(opened, terminal, { names, interval, json: options.json ?? false })
    const seen = await look(opened, names)
    terminal.stdout.write(options.json ? `${jsonText(statusValue(seen), 2)}\n` : statusTable(seen, terminal))
  })
  return 0
}

/** Milliseconds: no timer takes more than 24 days. */
const [soonest, latest] = [10, 86_400_000]

/** @throws OptionError */
function intervalIn({ every = '2s' }: StatusOptions): number {
  const interval = lengthIn(every, '--every')
  if (interval >= soonest && interval <= latest) return interval
  throw new OptionError(`--every ${every} is invalid: give 10ms to 1d`)
}

function look(opened: Opened, names: readonly string[]): Promise<SeenStatus> {
  const written = tablesNamed(opened, names).map((table) => table.written)
  return looking(opened, async (db, at) => ({ at, tables: await overviewOf(db, await observedTables(db, written)) }))
}

interface Watching {
  readonly names: readonly string[]
  readonly interval: number
  readonly json: boolean
}

/** To the top left, and nothing below. */
const cleared = '\u001b[H\u001b[J'

/** Until a signal. What can't be asked after the first time is told, and asked again. */
async function watch(opened: Opened, terminal: Terminal, { names, interval, json }: Watching): Promise<void> {
  const stop = stopSignal(terminal)
  const { stdout, stderr } = terminal
  let isFirst = true
  while (!stop.signal.aborted) {
    try {
      const seen = await look(opened, names)
      if (json) stdout.write(`${jsonText(statusValue(seen))}\n`)
      else stdout.write(stdout.isTTY ? cleared + statusTable(seen, terminal) : statusLines(seen))
    } catch (error) {
      if (isFirst) throw error
      complain(stderr, opened.explained(error))
    }
    isFirst = false
    await setTimeout(interval, undefined, { signal: stop.signal }).catch(() => {}) // it was aborted
  }
}
