import { spanText } from '../../observe/time-text.js'
import type { Happening } from '../../observe/timeline.js'
import type { ViewColumn } from '../../observe/view.js'
import { paintFor } from '../show/paint.js'
import { safeLines, safeText } from '../show/safe-text.js'
import { type Times, timeText } from '../show/times.js'
import type { Terminal } from '../terminal.js'
import { cellText, statePaint, stateText, triesText } from './jobs-table.js'
import type { ShownJob } from './shown-job.js'

interface Fact {
  readonly name: string
  readonly text: string
}

/** A job on a page of its own. */
export function jobText({ table, view, job }: ShownJob, times: Times, terminal: Terminal): string {
  const paint = paintFor(terminal.stdout, terminal)
  const place = job.isArchived ? `the archive of ${table.written}` : table.written
  const head = `${paint.strong(safeText(job.id))} in ${safeText(place)}: ${statePaint(paint, job)(safeText(stateText(job)))}\n`
  const { priority, interruptions, worker } = job
  const facts: Fact[] = [
    { name: 'attempts', text: triesText(job) },
    ...(priority === null ? [] : [{ name: 'priority', text: String(priority) }]),
    ...(interruptions === 0 ? [] : [{ name: 'interrupted', text: `${interruptions} times` }]),
    ...(worker === null ? [] : [{ name: 'worker', text: worker }]),
    ...waits(job),
  ]
  const own = view.columns.filter(({ isOfQueue }) => !isOfQueue)
  const kept = view.columns.filter(({ name }) => name === 'result')
  const values = [...own, ...kept].map((column) => ({
    name: column.name,
    text: valueText(column, job.values.get(column.name)),
  }))
  const error = job.values.get('last_error')
  const sections = [
    section(facts),
    section(values),
    ...(error?.text ? [`${paint.bad(safeLines(cellText(error)))}\n`] : []),
    job.timeline.map((each) => happened(each, times)).join(''),
  ]
  return [head, ...sections.filter((text) => text !== '')].join('\n')
}

function waits({ startedAt, finishedAt, runAt, state }: ShownJob['job']): Fact[] {
  const [due, started, finished] = [runAt, startedAt, finishedAt].map((at) => Date.parse(at ?? ''))
  const span = (from = Number.NaN, to = Number.NaN): string[] => (to >= from ? [spanText(to - from)] : [])
  const hasRun = state === 'succeeded' || state === 'failed' || state === 'timedOut'
  return [
    ...(hasRun ? span(due, started) : []).map((text) => ({ name: 'waited', text })),
    ...(hasRun ? span(started, finished) : []).map((text) => ({ name: 'ran', text })),
  ]
}

function section(facts: readonly Fact[]): string {
  const width = Math.max(0, ...facts.map(({ name }) => safeText(name).length))
  return facts
    .map(({ name, text }) => {
      const [first = '', ...more] = safeLines(text).split('\n')
      const indent = ' '.repeat(width + 2)
      return [`${safeText(name).padEnd(width)}  ${first}`, ...more.map((line) => indent + line)]
        .map((line) => `${line}\n`)
        .join('')
    })
    .join('')
}

/** JSON is laid out. */
function valueText({ kind }: ViewColumn, cell: ShownJob['job']['error'] | undefined): string {
  const text = cellText(cell)
  if (kind !== 'json' || cell === undefined || cell.isCut || cell.text === null) return text
  try {
    // A number that JavaScript has not got would be shown as another.
    return /\d{16}/.test(cell.text) ? text : JSON.stringify(JSON.parse(cell.text), undefined, 2)
  } catch {
    return text
  }
}

const words: Readonly<Record<Happening['kind'], string>> = {
  created: 'created',
  due: 'due',
  started: 'started',
  locked: 'locked',
  failed: 'failed',
  ended: 'ended',
}

function happened({ kind, at, attempt, error }: Happening, times: Times): string {
  const of = attempt === undefined ? '' : `, attempt ${attempt}`
  const [line = ''] = (error ?? '').split('\n')
  return `${timeText(at, times).padEnd(16)}  ${words[kind]}${of}${line === '' ? '' : `: ${safeText(line)}`}\n`
}
