import { randomBytes } from 'node:crypto'
import { type DashboardOptions, dashboard, nodeHandler } from '../../dashboard/index.js'
import type { JobDatabase } from '../../schema/job-database.js'
import { type CliTable, type Place, tablesNamed, withTables } from '../open/tables.js'
import { jsonText } from '../show/safe-text.js'
import { OptionError, stopSignal, type Terminal } from '../terminal.js'
import { gateOf } from './gate.js'
import { close, listen } from './loopback.js'

interface ServeOptions extends Place {
  readonly json?: boolean | undefined
  readonly table?: readonly string[] | undefined
  readonly port?: string | undefined
  readonly 'read-only'?: boolean | undefined
}

/** Pages ask at the same time; and so does each that is followed. */
const bounds = { max: 4, query: '30s' } as const

/** `kysely-jobs dashboard` */
export async function serve(options: ServeOptions, terminal: Terminal, named: string | undefined): Promise<0> {
  const names = [...(named === undefined ? [] : [named]), ...(options.table ?? [])]
  const port = options.port === undefined ? undefined : portIn(options.port)
  const { stdout, stderr } = terminal
  await withTables(
    options,
    terminal,
    async (opened) => {
      const tables = shownTables(tablesNamed(opened, names))
      const token = randomBytes(24).toString('base64url')
      const { server, port: taken } = await listen(port)
      const readOnly = options['read-only'] ?? false
      const handler = nodeHandler(dashboard(opened.db, { tables, authorize: gateOf(token, taken), readOnly }))
      server.on('request', (request, response) => void handler(request, response))
      const stop = stopSignal(terminal)
      const url = `http://127.0.0.1:${taken}/?token=${token}`
      stdout.write(options.json ? `${jsonText({ url })}\n` : `${url}\n`)
      stderr.write('Whoever has this address gets in, from this machine alone. Ctrl-C ends it.\n')
      await new Promise((resolve) => stop.signal.addEventListener('abort', resolve))
      close(server)
    },
    bounds,
  )
  return 0
}

/** @throws OptionError */
function portIn(text: string): number {
  const port = Number(text)
  if (/^\d+$/.test(text) && port <= 65_535) return port
  throw new OptionError(`--port ${text} is invalid: give a number up to 65535`)
}

type ShownTables = DashboardOptions<JobDatabase>['tables']

function shownTables(tables: readonly CliTable[]): ShownTables {
  const entries = tables.map(({ written, columns, hide = [] }) => [written, { columns, hide }])
  return Object.fromEntries(entries) as ShownTables // to the types there is one table; the dashboard looks at the real ones
}
