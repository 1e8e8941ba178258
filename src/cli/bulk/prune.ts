import { countMatching, type Matching } from '../../observe/count-matching.js'
import { parseFilter } from '../../observe/filter-text.js'
import { endedStates, finalOf, type ShownState } from '../../observe/shown-state.js'
import { type PruneOptions, pruneJobs } from '../../queue/prune.js'
import { type Duration, milliseconds } from '../../schema/duration.js'
import { jobsOf } from '../../schema/job-database.js'
import { finalStatuses } from '../../schema/statuses.js'
import type { ExitCode } from '../cli-command.js'
import { statesIn } from '../open/asked-jobs.js'
import { type CliTable, looking, type Opened, type Place, tableNamed, viewOf, withTables } from '../open/tables.js'
import { jsonText, safeText } from '../show/safe-text.js'
import { OptionError, stopSignal, type Terminal } from '../terminal.js'
import { confirmed } from './confirm.js'
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

/** `kysely-jobs prune` */
export async function prune(
  options: PruneCommandOptions,
  terminal: Terminal,
  named: string | undefined,
): Promise<ExitCode> {
  const { 'older-than': age, yes = false, json = false } = options
  if (age === undefined) throw new OptionError('How old? Give --older-than, as in --older-than 7d')
  const olderThan = age as Duration // checked in the next line
  milliseconds(olderThan, '--older-than')
  const states = statesFor(options)
  const action = async (opened: Opened) => {
    const table = tableNamed(opened, named ?? options.table)
    const { count, isAll } = await countOld(opened, table, states, age)
    const tell = (value: object, text: string) => terminal.stdout.write(json ? `${jsonText(value)}\n` : `${text}\n`)
    const jobs = (count: number) =>
      `${count.toLocaleString('en')} ${count === 1 ? 'job' : 'jobs'} of ${safeText(table.written)}`
    if (options['dry-run']) {
      tell({ table: table.written, matched: count, isAll }, `${jobs(count)}${isAll ? '' : ' or more'} would be deleted`)
      return 0
    }
    if (count > 0 && !(await confirmed({ table: table.written, verb, count, isAll }, yes, terminal))) return 2
    const { deleted, isStopped } = await deleteOld(opened, table, {
      olderThan,
      states,
      count,
      terminal,
    })
    tell({ table: table.written, deleted, stopped: isStopped }, `${jobs(deleted)} deleted`)
    return isStopped ? 1 : 0
  }
  return withTables(options, terminal, action, { query: '10m' })
}

/** @throws OptionError */
function statesFor(options: PruneCommandOptions): readonly ShownState[] {
  const states = statesIn(options) ?? endedStates
  const unfit = states.find((state) => !endedStates.includes(state))
  if (unfit === undefined) return states
  throw new OptionError(`--state: ${unfit} jobs have not ended; there are ${endedStates.join(', ')}`)
}

/** As the verb finds them: in the table alone. */
function countOld(opened: Opened, table: CliTable, states: readonly ShownState[], age: string): Promise<Matching> {
  return looking(opened, async (db) => {
    const view = await viewOf(db, { ...table, hide: [] })
    const [place] = view.places
    return countMatching(db, { ...view, places: [place] }, states, [parseFilter(view, `updated_at<-${age}`)])
  })
}

interface Deleting {
  readonly olderThan: Duration
  readonly states: readonly ShownState[]
  /** How many there were, about. */
  readonly count: number
  readonly terminal: Terminal
}

async function deleteOld({ db }: Opened, table: CliTable, { olderThan, states, count, terminal }: Deleting) {
  const jobs = jobsOf(db, table.written)
  const statuses = finalOf(states, finalStatuses)
  const options: PruneOptions = { olderThan, limit: chunk, ...(statuses && { statuses }) }
  const stop = stopSignal(terminal)
  const progress = new Progress(terminal.stderr)
  let deleted = 0
  try {
    for (let last = chunk; last >= chunk && !stop.signal.aborted; ) {
      last = await pruneJobs(jobs.db, jobs.name, options)
      deleted += last
      progress.tell(deleted, Math.max(count, deleted))
    }
    return { deleted, isStopped: stop.signal.aborted }
  } finally {
    progress.end()
    stop.forget()
  }
}
