import type { Kysely } from 'kysely'
import { aliveWorkersOf, isHeeded } from '../../observe/heeded-limit.js'
import type { JobView } from '../../observe/view.js'
import { limitJobs, listLimits } from '../../queue/limit-jobs.js'
import { listRunners } from '../../records/runners.js'
import { type JobDatabase, jobsOf } from '../../schema/job-database.js'
import { readableSideTable, runnersTable } from '../../schema/side-table.js'
import type { ExitCode } from '../cli-command.js'
import { limits } from '../look/limits.js'
import { type GivenKey, keyIn, whereOf } from '../open/key.js'
import { type Place, tableNamed, viewOf, withTables } from '../open/tables.js'
import { ofKey } from '../show/key-text.js'
import { jsonText } from '../show/safe-text.js'
import { complain, tell } from '../show/tell.js'
import { OptionError, type Terminal } from '../terminal.js'

interface LimitsOptions extends Place {
  readonly json?: boolean | undefined
  readonly table?: readonly string[] | undefined
  readonly where?: readonly string[] | undefined
  readonly max?: string | undefined
}

/** `kysely-jobs limits`, and with a verb `set` or `unset`. */
export async function limitsOrChange(
  options: LimitsOptions,
  terminal: Terminal,
  [verb, table, ...others]: readonly string[],
): Promise<ExitCode> {
  const { where, max } = options
  if (verb !== 'set' && verb !== 'unset') {
    if (table !== undefined) throw new OptionError('There are limits set and limits unset; without one they are listed')
    if (where !== undefined || max !== undefined)
      throw new OptionError('A limit is set by limits set: say limits set <table> --max 10')
    return limits(options, terminal, verb)
  }
  const [named = table, ...more] = options.table ?? []
  if (more.length + others.length > 0 || (table !== undefined && named !== table))
    throw new OptionError(`Which table? Say limits ${verb} <table>`)
  if (verb === 'unset' && max !== undefined) throw new OptionError('limits unset takes no --max')
  return verb === 'set' ? set(options, terminal, named, maxIn(max)) : unset(options, terminal, named)
}

/** @throws OptionError */
function maxIn(max: string | undefined): number {
  if (max === undefined) throw new OptionError('How many jobs may run? Give --max, as in --max 10')
  if (/^\d{1,9}$/.test(max)) return Number(max)
  throw new OptionError(`--max ${max} is invalid: give a whole number of jobs; 0 lets none begin`)
}

function set(options: LimitsOptions, terminal: Terminal, named: string | undefined, max: number): Promise<ExitCode> {
  return withTables<ExitCode>(options, terminal, async (opened) => {
    const table = tableNamed(opened, named)
    const view = await viewOf(opened.db, table)
    const key = keyIn(view, options.where)
    const jobs = jobsOf(opened.db, table.written)
    await limitJobs(jobs.db, jobs.name, { ...whereOf(key), max })
    const of = ofKey(table.written, key)
    if (options.json) terminal.stdout.write(`${jsonText({ table: table.written, where: key ?? null, max })}\n`)
    else tell(terminal.stdout, `${of} is limited to ${max.toLocaleString('en')} ${max === 1 ? 'job' : 'jobs'}`)
    if (!(await heeds(opened.db, view, key))) {
      const by = key === undefined ? 'for the whole table' : `by ${Object.keys(key).join(', ')}`
      complain(
        terminal.stderr,
        `No worker of it that runs now has a limit ${by} (createWorker's limit), so none heeds this`,
      )
    }
    return 0
  })
}

/** Whether a worker has such a limit, as far as runners tell: those that tell none may have. */
async function heeds(db: Kysely<JobDatabase>, view: JobView, key: GivenKey): Promise<boolean> {
  if ((await readableSideTable(db, runnersTable)) === undefined) return true
  return isHeeded(view, aliveWorkersOf(view, await listRunners(db)), key)
}

/** Where there was none, the exit code is 1. */
function unset(options: LimitsOptions, terminal: Terminal, named: string | undefined): Promise<ExitCode> {
  return withTables(options, terminal, async (opened) => {
    const { written, ...table } = tableNamed(opened, named)
    const key = keyIn(await viewOf(opened.db, { ...table, written }), options.where)
    const jobs = jobsOf(opened.db, written)
    const before = await listLimits(jobs.db, jobs.name)
    await limitJobs(jobs.db, jobs.name, { ...whereOf(key), max: undefined })
    const wasSet = (await listLimits(jobs.db, jobs.name)).length < before.length
    const of = ofKey(written, key)
    if (options.json) terminal.stdout.write(`${jsonText({ table: written, where: key ?? null, wasSet })}\n`)
    else if (wasSet) tell(terminal.stdout, `${of} is limited as its workers say`)
    else complain(terminal.stderr, `No limit was set of ${of}`)
    return wasSet ? 0 : 1
  })
}
