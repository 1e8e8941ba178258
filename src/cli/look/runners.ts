import { spanText } from '../../observe/time-text.js'
import { listRunners, type RunnerState } from '../../records/runners.js'
import type { WorkerState } from '../../records/worker-state.js'
import { looking, type Place, withTables } from '../open/tables.js'
import { paintFor } from '../show/paint.js'
import { jsonText } from '../show/safe-text.js'
import { type Column, tableText } from '../show/table-text.js'
import { type Times, timeText } from '../show/times.js'
import type { Terminal } from '../terminal.js'

interface RunnersOptions extends Place {
  readonly json?: boolean | undefined
  readonly utc?: boolean | undefined
}

/** `kysely-jobs runners` */
export async function runners(options: RunnersOptions, terminal: Terminal): Promise<0> {
  const { found, now } = await withTables(options, terminal, (opened) =>
    looking(opened, async (db, now) => ({ found: await listRunners(db), now })),
  )
  if (options.json) terminal.stdout.write(`${jsonText({ runners: found }, 2)}\n`)
  else if (found.length === 0) terminal.stdout.write('No runner has written itself down.\n')
  else terminal.stdout.write(runnersText(found, { now, isUtc: options.utc ?? false }, terminal))
  return 0
}

interface Row {
  readonly runner: RunnerState
  readonly worker: WorkerState | undefined
}

/** A line for each worker. */
function runnersText(found: readonly RunnerState[], times: Times, terminal: Terminal): string {
  const paint = paintFor(terminal.stdout, terminal)
  const rows = found.flatMap((runner): Row[] =>
    runner.workers.length === 0
      ? [{ runner, worker: undefined }]
      : runner.workers.map((worker) => ({ runner, worker })),
  )
  const ofWorker =
    (text: (worker: WorkerState) => string) =>
    ({ worker }: Row) =>
      worker === undefined ? '-' : text(worker)
  const columns: Column<Row>[] = [
    { title: 'HOST', text: ({ runner }) => runner.host, least: 8 },
    { title: 'PID', text: ({ runner }) => String(runner.pid), isNumber: true },
    {
      title: 'SEEN',
      text: ({ runner }) => timeText(runner.seenAt, times),
      paint: (text, { runner }) => (runner.alive ? text : paint.bad(text)),
    },
    { title: 'STARTED', text: ({ runner }) => timeText(runner.startedAt, times) },
    { title: 'VERSION', text: ({ runner }) => runner.version },
    {
      title: 'TABLE',
      text: ofWorker(({ schema, table }) => (schema === 'public' ? table : `${schema}.${table}`)),
      least: 12,
    },
    { title: 'STATE', text: ({ runner, worker }) => (runner.alive ? stateOf(worker) : 'gone') },
    { title: 'RUNNING', text: ofWorker(({ running, concurrency }) => `${running}/${concurrency}`), isNumber: true },
    { title: 'LEASE', text: ofWorker(({ lease }) => spanText(lease)), isNumber: true },
    { title: 'LISTENER', text: ofWorker(({ listener }) => listener) },
  ]
  return tableText(columns, rows, { width: terminal.stdout.columns, title: paint.quiet })
}

const stateOf = (worker: WorkerState | undefined): string =>
  worker?.paused === undefined ? (worker?.state ?? '-') : 'paused'
