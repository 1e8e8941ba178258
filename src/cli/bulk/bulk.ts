import type { Kysely } from 'kysely'
import { countMatching } from '../../observe/count-matching.js'
import { selectionOf } from '../../observe/selection.js'
import { type ShownState, shownStates } from '../../observe/shown-state.js'
import type { JobView } from '../../observe/view.js'
import { writtenIds } from '../../observe/written-ids.js'
import type { JobSelection } from '../../predicates/selected.js'
import type { BulkOptions } from '../../queue/bulk-options.js'
import type { ChangedJobs } from '../../queue/changed-jobs.js'
import type { JobColumns } from '../../schema/columns.js'
import { type JobDatabase, type Jobs, jobsOf } from '../../schema/job-database.js'
import type { ExitCode } from '../cli-command.js'
import { type AskedJobs, filtersIn, statesIn } from '../open/asked-jobs.js'
import { type CliTable, looking, type Opened, type Place, tableNamed, viewOf, withTables } from '../open/tables.js'
import { jsonText } from '../show/safe-text.js'
import { tell } from '../show/tell.js'
import { OptionError, stopSignal, type Terminal } from '../terminal.js'
import { confirmed, type Meant } from './confirm.js'
import { tellBefore, tellChanged } from './outcome.js'
import { Progress } from './progress.js'

export interface BulkCommandOptions extends Place, AskedJobs {
  readonly json?: boolean | undefined
  readonly table?: string | undefined
  readonly id?: readonly string[] | undefined
  readonly all?: boolean | undefined
  readonly yes?: boolean | undefined
  readonly 'dry-run'?: boolean | undefined
}

const none: ChangedJobs = Object.assign([], { refused: [] })

type Selection = JobSelection<JobColumns>

/** What is done to jobs. */
export interface BulkVerb {
  /** "retry", "retried": of 3 jobs. */
  readonly name: string
  readonly done: string
  /** Jobs in which states it changes. */
  readonly states: readonly ShownState[]
  run(jobs: Jobs, selection: Selection, options: BulkOptions): Promise<ChangedJobs>
  /** How many it would change, exactly. */
  count(jobs: Jobs, selection: Selection): Promise<number>
}

/** A chunk of a thousand rows may wait for locks and triggers; an exact count reads a table. */
const bounds = { max: 2, query: '10m' } as const

/** Counts the jobs that are meant, asks, and changes them. */
export async function inBulk(
  options: BulkCommandOptions,
  terminal: Terminal,
  named: string | undefined,
  verb: BulkVerb,
): Promise<ExitCode> {
  const states = statesFor(options, verb)
  return withTables(
    options,
    terminal,
    async (opened) => {
      const table = tableNamed(opened, named ?? options.table)
      const view = await viewOf(opened.db, table)
      const selection = await selectedBy(opened, view, { options, states })
      const jobs = jobsOf(opened.db, table.written)
      if (options['dry-run'])
        return counted(options, terminal, { table, verb, count: await verb.count(jobs, selection) })
      const meant = {
        table: table.written,
        verb,
        ...(await countOf(opened, table, { options, states, selection, verb })),
      }
      if (meant.count === 0 && options.id === undefined) {
        tell(terminal.stderr, `No job of ${table.written} matches that can be ${verb.done}.`)
        return options.json ? tellChanged(none, { meant, ids: [], json: true, isStopped: false }, terminal) : 0
      }
      if (meant.count > 0 && !(await confirmed(meant, options.yes ?? false, terminal))) return 2
      return changed(options, terminal, { jobs, selection, meant })
    },
    bounds,
  )
}

/** @throws OptionError where it is not said which, or of jobs that the verb leaves alone */
function statesFor(options: BulkCommandOptions, verb: BulkVerb): readonly ShownState[] {
  const { id, all = false, where = [], error } = options
  const asked = statesIn(options)
  const isFiltered = where.length > 0 || asked !== undefined || error !== undefined
  if (id === undefined && !all && !isFiltered)
    throw new OptionError('Which jobs? Give --id, --state, --where or --error, or --all for all of them')
  if ((id !== undefined || all) && isFiltered)
    throw new OptionError(`Which jobs? Give either ${all ? '--all' : '--id'}, or filters`)
  if (id !== undefined && all) throw new OptionError('Which jobs? Give either --id or --all')
  const unfit = asked?.find((state) => !verb.states.includes(state))
  if (unfit !== undefined)
    throw new OptionError(`--state: no ${unfit} job can be ${verb.done}; there are ${verb.states.join(', ')}`)
  return asked ?? shownStates.filter((state) => verb.states.includes(state))
}

/** @throws FilterError */
async function selectedBy(
  { db }: Opened,
  view: JobView,
  { options, states }: Pick<Counting, 'options' | 'states'>,
): Promise<Selection> {
  if (options.id !== undefined) return { ids: await writtenIds(db, view, options.id) }
  return selectionOf(view, states, filtersIn(view, options), options.error)
}

interface Counting {
  readonly options: BulkCommandOptions
  readonly states: readonly ShownState[]
  readonly selection: Selection
  readonly verb: BulkVerb
}

/** Of ids exactly; of what filters are about at a cost that does not grow with the table. */
async function countOf(opened: Opened, table: CliTable, { options, states, selection, verb }: Counting) {
  if (options.id !== undefined) {
    return { count: await verb.count(jobsOf(opened.db, table.written), selection), isAll: true }
  }
  return looking(opened, async (db: Kysely<JobDatabase>) => {
    const view = await viewOf(db, table)
    return countMatching(db, view, states, filtersIn(view, options), options.error)
  })
}

function counted(
  { json }: BulkCommandOptions,
  { stdout }: Terminal,
  { table, verb, count }: { readonly table: CliTable; readonly verb: BulkVerb; readonly count: number },
): 0 {
  const would = { table: table.written, verb: verb.name, matched: count }
  const jobs = `${count.toLocaleString('en')} ${count === 1 ? 'job' : 'jobs'}`
  if (json) stdout.write(`${jsonText(would)}\n`)
  else tell(stdout, `${jobs} of ${table.written} would be ${verb.done}`)
  return 0
}

interface Changing {
  readonly jobs: Jobs
  readonly selection: Selection
  readonly meant: Meant & { readonly verb: BulkVerb }
}

async function changed(
  options: BulkCommandOptions,
  terminal: Terminal,
  { jobs, selection, meant }: Changing,
): Promise<ExitCode> {
  const stop = stopSignal(terminal)
  const progress = new Progress(terminal.stderr)
  let done = 0
  try {
    const onProgress = ({ changed, refused, total }: { changed: number; refused: number; total: number }) => {
      done = changed
      progress.tell(changed + refused, total)
    }
    const result = await meant.verb.run(jobs, selection, { onProgress, signal: stop.signal })
    progress.end()
    return tellChanged(
      result,
      { meant, ids: selection.ids, json: options.json ?? false, isStopped: stop.signal.aborted },
      terminal,
    )
  } catch (error) {
    progress.end()
    tellBefore(done, meant, terminal)
    throw error
  } finally {
    progress.end()
    stop.forget()
  }
}
