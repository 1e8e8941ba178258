import { columnCalled } from '../../observe/filter.js'
import type { JobView } from '../../observe/view.js'
import { jobsOf } from '../../schema/job-database.js'
import { lengthIn } from '../open/length.js'
import { type Place, tableNamed, viewOf, withTables } from '../open/tables.js'
import { jsonText } from '../show/safe-text.js'
import { tell } from '../show/tell.js'
import { OptionError, type Terminal } from '../terminal.js'
import { type GivenJob, linesOf, valuesIn } from './given-jobs.js'
import { type How, insertJobs } from './insert-jobs.js'

interface EnqueueCommandOptions extends Place {
  readonly json?: boolean | undefined
  readonly table?: string | undefined
  readonly values?: string | undefined
  readonly delay?: string | undefined
  readonly unique?: string | undefined
  readonly within?: string | undefined
}

/** How many jobs of the input go in at once. */
const chunkSize = 1_000

/** `kysely-jobs enqueue` */
export async function enqueueGiven(
  options: EnqueueCommandOptions,
  terminal: Terminal,
  named: string | undefined,
): Promise<0> {
  const { values, json = false } = options
  const howIn = readHow(options)
  const given = values === undefined ? linesOf(terminal) : [{ values: valuesIn(values, '--values'), of: '--values' }]
  await withTables(options, terminal, async (opened) => {
    const { written, hide: _, ...table } = tableNamed(opened, named ?? options.table)
    const view = await viewOf(opened.db, { ...table, written })
    const jobs = jobsOf(opened.db, written)
    const how = howIn(view)
    let [count, known] = [0, 0]
    try {
      for await (const chunk of chunksOf(given)) {
        for (const { id, isNew } of await insertJobs(jobs, view, { chunk, how })) {
          if (!isNew) known += 1
          const told = { table: written, id, ...(how.unique && { isNew }) }
          if (json) terminal.stdout.write(`${jsonText(told)}\n`)
          else tell(terminal.stdout, id)
        }
        count += chunk.length
      }
    } catch (error) {
      if (count > 0) tell(terminal.stderr, `${count.toLocaleString('en')} jobs before were enqueued`)
      throw error
    }
    if (known > 0)
      tell(terminal.stderr, `For ${known.toLocaleString('en')} of ${count.toLocaleString('en')} a job stands already`)
  })
  return 0
}

/** @throws OptionError, and of a column that is not there FilterError */
function readHow({ delay, unique, within }: EnqueueCommandOptions): (view: JobView) => How {
  if (within !== undefined && unique === undefined)
    throw new OptionError(
      '--within says how long a job stands for others: say by which columns, as --unique to,template',
    )
  const times = {
    ...(delay !== undefined && { delay: lengthIn(delay, '--delay') }),
    ...(within !== undefined && { within: lengthIn(within, '--within') }),
  }
  if (unique === undefined) return () => times
  return (view) => {
    const [first, ...others] = unique.split(',').map((name) => columnCalled(view, name.trim()).name)
    return first === undefined ? times : { ...times, unique: [first, ...others] } // a text has a first part
  }
}

async function* chunksOf(given: Iterable<GivenJob> | AsyncIterable<GivenJob>): AsyncGenerator<GivenJob[]> {
  let chunk: GivenJob[] = []
  for await (const each of given) {
    chunk.push(each)
    if (chunk.length < chunkSize) continue
    yield chunk
    chunk = []
  }
  if (chunk.length > 0) yield chunk
}
