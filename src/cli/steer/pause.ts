import { pauseJobs, resumeJobs } from '../../queue/pause.js'
import { jobsOf } from '../../schema/job-database.js'
import type { ExitCode } from '../cli-command.js'
import { type GivenKey, keyIn, whereOf } from '../open/key.js'
import { timeIn } from '../open/moment.js'
import { type Place, tableNamed, viewOf, withTables } from '../open/tables.js'
import { ofKey } from '../show/key-text.js'
import { jsonText } from '../show/safe-text.js'
import { complain, tell } from '../show/tell.js'
import { OptionError, type Terminal } from '../terminal.js'

interface PauseCommandOptions extends Place {
  readonly json?: boolean | undefined
  readonly table?: string | undefined
  readonly where?: readonly string[] | undefined
  readonly reason?: string | undefined
  readonly until?: string | undefined
}

/** `kysely-jobs pause` */
export async function pause(options: PauseCommandOptions, terminal: Terminal, named: string | undefined): Promise<0> {
  const until = options.until === undefined ? {} : untilIn(options.until)
  const reason = options.reason === undefined ? {} : { reason: options.reason }
  await onKey(options, terminal, named, async (jobs, key, what) => {
    await pauseJobs(jobs.db, jobs.name, { ...whereOf(key), ...reason, ...until })
    if (options.json) terminal.stdout.write(`${jsonText({ ...what, paused: true, ...reason })}\n`)
    else tell(terminal.stdout, `${nameOf(what)} is paused`)
  })
  return 0
}

/** `kysely-jobs resume` */
export async function resume(
  options: PauseCommandOptions,
  terminal: Terminal,
  named: string | undefined,
): Promise<ExitCode> {
  return onKey(options, terminal, named, async (jobs, key, what) => {
    const wasPaused = await resumeJobs(jobs.db, jobs.name, whereOf(key))
    if (options.json) terminal.stdout.write(`${jsonText({ ...what, wasPaused })}\n`)
    else if (wasPaused) tell(terminal.stdout, `${nameOf(what)} is resumed`)
    else complain(terminal.stderr, `${nameOf(what)} was not paused`)
    return wasPaused ? 0 : 1
  })
}

interface What {
  readonly table: string
  /** Undefined: the whole table. */
  readonly where: GivenKey
}

const nameOf = ({ table, where }: What) => ofKey(table, where)

function onKey<T>(
  options: PauseCommandOptions,
  terminal: Terminal,
  named: string | undefined,
  action: (jobs: ReturnType<typeof jobsOf>, key: GivenKey, what: What) => Promise<T>,
): Promise<T> {
  return withTables(options, terminal, async (opened) => {
    const table = tableNamed(opened, named ?? options.table)
    const where = keyIn(await viewOf(opened.db, table), options.where)
    return action(jobsOf(opened.db, table.written), where, { table: table.written, where })
  })
}

/** @throws OptionError */
function untilIn(text: string) {
  const time = timeIn(text, '--until')
  if ('delay' in time) return { until: time.delay }
  const date = new Date(time.to)
  if (Number.isNaN(date.getTime())) throw new OptionError('--until: without an end it is until resume: leave it out')
  return { until: date }
}
