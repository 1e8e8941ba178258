import type { Cell, FoundJob } from '../../observe/found-job.js'
import { type Paint, paintFor } from '../show/paint.js'
import { type Column, tableText } from '../show/table-text.js'
import { type Times, timeText } from '../show/times.js'
import type { Terminal } from '../terminal.js'

/** Jobs as a table: what is the same for all of them, their own columns, and their errors. */
export function jobsTable(jobs: readonly FoundJob[], times: Times, terminal: Terminal): string {
  const paint = paintFor(terminal.stdout, terminal)
  const own = [...(jobs[0]?.values.keys() ?? [])].map(
    (name): Column<FoundJob> => ({ title: name, text: ({ values }) => cellText(values.get(name)), least: 8 }),
  )
  const hasErrors = jobs.some(({ error }) => error.text !== null)
  const hasArchived = jobs.some(({ isArchived }) => isArchived)
  const columns: Column<FoundJob>[] = [
    { title: 'ID', text: ({ id }) => id },
    { title: 'STATE', text: stateText, paint: (text, job) => statePaint(paint, job)(text) },
    ...(hasArchived ? [{ title: 'IN', text: (job: FoundJob) => (job.isArchived ? 'archive' : 'table') }] : []),
    { title: 'TRIES', text: triesText, isNumber: true },
    { title: 'WHEN', text: (job) => whenText(job, times) },
    ...own,
    ...(hasErrors ? [{ title: 'ERROR', text: ({ error }: FoundJob) => cellText(error), least: 12 }] : []),
  ]
  return tableText(columns, jobs, { width: terminal.stdout.columns, title: paint.quiet })
}

export const stateText = ({ state, status }: FoundJob): string => state ?? status

export function statePaint(paint: Paint, { state }: FoundJob): (text: string) => string {
  if (state === 'failed' || state === 'timedOut') return paint.bad
  if (state === 'retrying') return paint.warn
  return state === 'succeeded' ? paint.good : (text) => text
}

export const triesText = ({ attempts, maxAttempts }: FoundJob): string =>
  maxAttempts === null ? String(attempts) : `${attempts}/${maxAttempts}`

/** The time that says most of a job, by its state. */
function whenText({ state, startedAt, lockedAt, runAt, finishedAt, updatedAt }: FoundJob, times: Times): string {
  if (state === 'running') return `since ${timeText(startedAt ?? lockedAt, times)}`
  if (state === 'due' || state === 'scheduled' || state === 'retrying') return `due ${timeText(runAt, times)}`
  return timeText(finishedAt ?? updatedAt, times)
}

/** A value, cut as it was read, with what the row is called that it points to. */
export function cellText(cell: Cell | undefined): string {
  if (cell === undefined || cell.text === null) return '-'
  const text = cell.isCut ? `${cell.text}…` : cell.text
  return cell.label === undefined ? text : `${text} (${cell.label})`
}
