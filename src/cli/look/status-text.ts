import type { Count, TableOverview } from '../../observe/overview.js'
import { spanText } from '../../observe/time-text.js'
import { paintFor } from '../show/paint.js'
import { safeText } from '../show/safe-text.js'
import { tableText } from '../show/table-text.js'
import type { Terminal } from '../terminal.js'

/** How it is, by the database's clock. */
export interface SeenStatus {
  readonly at: Date
  readonly tables: readonly TableOverview[]
}

/** As a table, with what is paused below. */
export function statusTable({ at, tables }: SeenStatus, terminal: Terminal): string {
  const paint = paintFor(terminal.stdout, terminal)
  const failed = (text: string) => (text === '0' || text === '-' ? text : paint.bad(text))
  const text = tableText<TableOverview>(
    [
      { title: 'TABLE', text: ({ written }) => written, least: 12 },
      { title: 'DUE', text: ({ due }) => countText(due), isNumber: true },
      { title: 'OLDEST WAIT', text: waitText, isNumber: true },
      { title: 'RUNNING', text: ({ running }) => countText(running), isNumber: true },
      { title: 'RETRYING', text: ({ retrying }) => countText(retrying), isNumber: true },
      { title: 'SCHEDULED', text: ({ scheduled }) => countText(scheduled), isNumber: true },
      { title: 'FAILED 1H', text: ({ failedLastHour }) => countText(failedLastHour), isNumber: true, paint: failed },
      { title: 'FAILED 1D', text: ({ failedLastDay }) => countText(failedLastDay), isNumber: true, paint: failed },
      { title: 'WORKERS', text: workersText, isNumber: true },
    ],
    tables,
    { width: terminal.stdout.columns, title: paint.quiet },
  )
  const notes = tables.flatMap((each) => notesOf(each, at).map((note) => `${safeText(`${each.written}: ${note}`)}\n`))
  return notes.length === 0 ? text : `${text}\n${paint.warn(notes.join(''))}`
}

/** A line for each table, as a log has them. */
export function statusLines({ at, tables }: SeenStatus): string {
  const words = (table: TableOverview) =>
    [
      ...[
        `due=${countText(table.due)}`,
        `oldest_wait=${table.oldestWait === undefined ? '-' : `${Math.round(table.oldestWait)}ms`}`,
      ],
      ...[`running=${countText(table.running)}`, `retrying=${countText(table.retrying)}`],
      ...[`scheduled=${countText(table.scheduled)}`, `failed_1h=${countText(table.failedLastHour)}`],
      ...[`failed_1d=${countText(table.failedLastDay)}`, `workers=${table.workers?.length ?? '-'}`],
      ...(table.paused ? ['paused'] : []),
      ...(table.away === undefined ? [] : ['away']),
    ].join(' ')
  return tables.map((table) => `${at.toISOString()} ${safeText(table.written)} ${words(table)}\n`).join('')
}

/** As JSON. */
export function statusValue({ at, tables }: SeenStatus): unknown {
  return {
    at,
    tables: tables.map(({ written, table, workers, ...rest }) => ({
      ...{ table: written, schema: table.schema, name: table.name },
      ...rest,
      workers,
    })),
  }
}

/** `12`, `10000+`, `~1234567`; a dash where it can't be known. */
function countText(count: Count | undefined): string {
  if (count === undefined) return '-'
  return count.is === 'at least'
    ? `${count.count}+`
    : count.is === 'estimated'
      ? `~${count.count}`
      : String(count.count)
}

function waitText({ oldestWait }: TableOverview): string {
  if (oldestWait === undefined || oldestWait === 0) return '-'
  return spanText(oldestWait)
}

/** How many there are, and how many handlers run of those that may. */
function workersText({ workers }: TableOverview): string {
  if (workers === undefined) return '-'
  const [running, most] = [workers.map(({ running }) => running), workers.map(({ concurrency }) => concurrency)].map(
    (numbers) => numbers.reduce((sum, each) => sum + each, 0),
  )
  return workers.length === 0 ? '0' : `${workers.length} (${running}/${most})`
}

function notesOf({ paused, pauses = [], due, workers, running, away }: TableOverview, at: Date): string[] {
  const whole = pauses.find(({ where }) => where === undefined)
  const keys = pauses.length - (whole === undefined ? 0 : 1)
  const until = whole?.until === undefined ? '' : `, for ${spanText(whole.until.getTime() - at.getTime())} more`
  return [
    ...(paused ? [`paused${whole?.reason === undefined ? '' : ` (${whole.reason})`}${until}`] : []),
    ...(keys > 0 ? [`${keys} ${keys === 1 ? 'key is' : 'keys are'} paused: see kysely-jobs pauses`] : []),
    ...(!paused && workers?.length === 0 && due !== undefined && due.count > 0
      ? ['jobs are due, and no runner works it']
      : []),
    ...(away === undefined ? [] : [`its jobs can't be looked at: ${away}`]),
    ...(away === undefined && (due === undefined || running === undefined)
      ? ['an index is missing by which jobs are counted: createJobIndexes of kysely-jobs/migrate makes it']
      : []),
  ]
}
