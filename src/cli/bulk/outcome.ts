import type { ChangedJobs, RefusedJob } from '../../queue/changed-jobs.js'
import type { JobId } from '../../schema/columns.js'
import type { ExitCode } from '../cli-command.js'
import { jsonText } from '../show/safe-text.js'
import { tell } from '../show/tell.js'
import type { Terminal } from '../terminal.js'
import type { Meant } from './confirm.js'

interface Done {
  readonly meant: Meant
  /** The jobs that were named, each once, as their table writes them. */
  readonly ids: readonly JobId[] | undefined
  readonly json: boolean
  readonly isStopped: boolean
}

/** So many jobs that were refused, or did not match, are told one by one. */
const mostTold = 10

/** Tells what was done. The exit code is 1 where it was less than what was asked for. */
export function tellChanged(result: ChangedJobs, done: Done, terminal: Terminal): ExitCode {
  const { meant, ids = [], json, isStopped } = done
  const { refused } = result
  const known = new Set([...result, ...refused.map(({ id }) => id)].map(String))
  const missing = ids.map(String).filter((id) => !known.has(id))
  if (json) {
    const told = refused.map(({ id, error }) => ({ id: String(id), error: messageOf(error) }))
    const { table, verb } = meant
    const value = {
      table,
      verb: verb.name,
      changed: result.length,
      refused: told,
      unmatched: missing,
      stopped: isStopped,
    }
    terminal.stdout.write(`${jsonText(value)}\n`)
  } else {
    const jobs = `${result.length.toLocaleString('en')} ${result.length === 1 ? 'job' : 'jobs'}`
    tell(terminal.stdout, `${jobs} of ${meant.table} ${meant.verb.done}`)
    tellLess(refused, missing, done, terminal)
  }
  return refused.length > 0 || missing.length > 0 || isStopped ? 1 : 0
}

/** What was done before something went wrong stays done. */
export function tellBefore(done: number, { table, verb }: Meant, { stderr }: Terminal): void {
  if (done > 0)
    tell(stderr, `${done.toLocaleString('en')} ${done === 1 ? 'job' : 'jobs'} of ${table} ${verb.done} before`)
}

function tellLess(refused: readonly RefusedJob[], missing: readonly string[], done: Done, { stderr }: Terminal): void {
  const { meant, isStopped } = done
  const more = (all: readonly unknown[]) => {
    if (all.length > mostTold) stderr.write(`  and ${(all.length - mostTold).toLocaleString('en')} more\n`)
  }
  if (refused.length > 0) stderr.write(`${refused.length.toLocaleString('en')} were refused by the table:\n`)
  for (const { id, error } of refused.slice(0, mostTold)) tell(stderr, `  ${id}: ${messageOf(error)}`)
  more(refused)
  if (missing.length > 0) stderr.write(`No job that can be ${meant.verb.done} has the id\n`)
  for (const id of missing.slice(0, mostTold)) tell(stderr, `  ${id}`)
  more(missing)
  if (isStopped) stderr.write('Stopped: the others are as they were.\n')
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
