import type { Cell, FoundJob } from '../../observe/found-job.js'
import type { JobView } from '../../observe/view.js'

/** Columns of the queue that are told whole; all others have a name of ours. */
const told: ReadonlySet<string> = new Set(['last_error', 'result', 'errors'])

/** A job as `--json` prints it. Own columns have their values as JSON has them where that loses nothing, else as Postgres writes them. */
export function jobValue(view: JobView, { values, error, state, key: _, ...job }: FoundJob): Record<string, unknown> {
  const columns = new Map(view.columns.map((column) => [column.name, column]))
  const own = [...values]
    .filter(([name]) => !columns.get(name)?.isOfQueue || told.has(name))
    .map(([name, cell]) => [name, cellValue(cell, columns.get(name)?.kind)])
  return { ...job, state: state ?? null, error: error.text, values: Object.fromEntries(own) }
}

function cellValue({ text, isCut }: Cell, kind: string | undefined): unknown {
  if (text === null) return null
  if (isCut) return text
  if (kind === 'boolean') return text === 'true' || text === 't'
  if (kind === 'number' && String(Number(text)) === text) return Number(text)
  return kind === 'json' ? parsed(text) : text
}

/** A number that JavaScript has not got would be another: then it stays a text. */
function parsed(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text)
    return /\d{16}/.test(text) ? text : value
  } catch {
    return text
  }
}
