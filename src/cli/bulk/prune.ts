import { endedStates, finalOf, type ShownState } from '../../observe/shown-state.js'
import type { JobView } from '../../observe/view.js'
import { countPrunable, type PruneOptions, pruneJobs } from '../../queue/prune.js'
import { type Jobs, jobsOf } from '../../schema/job-database.js'
import type { ExitCode } from '../cli-command.js'
import { statesIn } from '../open/asked-jobs.js'
import { lengthIn } from '../open/length.js'
import { type Opened, type Place, tableNamed, viewOf, withTables } from '../open/tables.js'
import { jsonText } from '../show/safe-text.js'
import { tell } from '../show/tell.js'
import { OptionError, stopSignal, type Terminal } from '../terminal.js'
import { confirmed, type Meant } from './confirm.js'
import { tellBefore } from './outcome.js'
import { Progress } from './progress.js'

interface PruneCommandOptions extends Place {
  readonly json?: boolean | undefined
  readonly table?: string | undefined
  readonly 'older-than'?: string | undefined
  readonly state?: readonly string[] | undefined
  readonly yes?: boolean | undefined
  readonly 'dry-run'?: boolean | undefined
}

const verb = { name: 'delete', done: 'deleted' }
const chunk = 1_000

/** An exact count reads what it counts. */
const bounds = { query: '10m' } as const

/** `kysely-jobs prune` */
export async function prune(
  options: PruneCommandOptions,
  terminal: Terminal,
  named: string | undefined,
): Promise<ExitCode> {
  const { 'older-than': age, yes = false, json = false } = options
  if (age === undefined) throw new OptionError('How old? Give --older-than, as in --older-than 7d')
  const olderThan = lengthIn(age, '--older-than')
  const states = statesFor(options)
  const action = async (opened: Opened) => {
    const table = tableNamed(opened, named ?? options.table)
    const view = await viewOf(opened.db, table)
    const jobs = jobsOf(opened.db, table.written)
    const old = oldOnes(view, states, olderThan)
    const count = old === undefined ? 0 : await countPrunable(jobs.db, jobs.name, old)
    const of = (count: number) => `${count.toLocaleString('en')} ${count === 1 ? 'job' : 'jobs'} of ${table.written}`
    const answer = (value: object, text: string) => {
      if (json) terminal.stdout.write(`${jsonText({ table: table.written, ...value })}\n`)
      else tell(terminal.stdout, text)
    }
    if (view.places.length > 1)
      tell(terminal.stderr, `The archive of ${table.written} is left alone: old jobs go with its partitions.`)
    if (options['dry-run']) {
      answer({ verb: 'prune', matched: count }, `${of(count)} would be deleted`)
      return 0
    }
    const meant = { table: table.written, verb, count, isAll: true }
    if (count > 0 && !(await confirmed(meant, yes, terminal))) return 2
    const { deleted, isStopped } =
      old === undefined ? { deleted: 0, isStopped: false } : await deleteOld(jobs, old, { meant, terminal })
    answer({ deleted, stopped: isStopped }, `${of(deleted)} deleted`)
    return isStopped ? 1 : 0
  }
  return withTables(options, terminal, action, bounds)
}

/** @throws OptionError */
function statesFor(options: PruneCommandOptions): readonly ShownState[] {
  const states = statesIn(options) ?? endedStates
  const unfit = states.find((state) => !endedStates.includes(state))
  if (unfit === undefined) return states
  throw new OptionError(`--state: ${unfit} jobs have not ended; there are ${endedStates.join(', ')}`)
}

/** Undefined: the table holds no job of these states. */
function oldOnes({ statuses }: JobView, states: readonly ShownState[], olderThan: number): PruneOptions | undefined {
  const ended = finalOf(states, statuses)
  if (ended === undefined) return { olderThan, limit: chunk }
  return ended.length === 0 ? undefined : { olderThan, limit: chunk, statuses: ended }
}

interface Deleting {
  readonly meant: Meant
  readonly terminal: Terminal
}

async function deleteOld({ db, name }: Jobs, old: PruneOptions, { meant, terminal }: Deleting) {
  const stop = stopSignal(terminal)
  const progress = new Progress(terminal.stderr)
  let deleted = 0
  try {
    for (let last = chunk; last >= chunk && !stop.signal.aborted; ) {
      last = await pruneJobs(db, name, old)
      deleted += last
      progress.tell(deleted, Math.max(meant.count, deleted))
    }
    return { deleted, isStopped: stop.signal.aborted }
  } catch (error) {
    progress.end()
    tellBefore(deleted, meant, terminal)
    throw error
  } finally {
    progress.end()
    stop.forget()
  }
}
