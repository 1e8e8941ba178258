import { createInterface } from 'node:readline'
import { columnCalled } from '../../observe/filter.js'
import type { JobView } from '../../observe/view.js'
import { enqueue } from '../../queue/enqueue.js'
import { type Jobs, jobsOf } from '../../schema/job-database.js'
import { lengthIn } from '../open/length.js'
import { type Place, tableNamed, viewOf, withTables } from '../open/tables.js'
import { jsonText, safeText } from '../show/safe-text.js'
import { OptionError, type Terminal } from '../terminal.js'

interface EnqueueCommandOptions extends Place {
  readonly json?: boolean | undefined
  readonly table?: string | undefined
  readonly values?: string | undefined
  readonly delay?: string | undefined
}

/** How many jobs of the input go in at once. */
const chunkSize = 1_000

/** `kysely-jobs enqueue` */
export async function enqueueGiven(
  options: EnqueueCommandOptions,
  terminal: Terminal,
  named: string | undefined,
): Promise<0> {
  const delay = options.delay === undefined ? {} : { delay: lengthIn(options.delay, '--delay') }
  const { values, json = false } = options
  const given = values === undefined ? linesOf(terminal) : [{ values: valuesIn(values, '--values'), of: '--values' }]
  await withTables(options, terminal, async (opened) => {
    const { written, hide: _, ...table } = tableNamed(opened, named ?? options.table)
    const view = await viewOf(opened.db, { ...table, written })
    const jobs = jobsOf(opened.db, written)
    let count = 0
    try {
      for await (const chunk of chunksOf(given)) {
        const rows = chunk.map(({ values, of }) => rowOf(view, values, of))
        for (const { id } of await insert(jobs, rows, delay)) {
          terminal.stdout.write(
            json ? `${jsonText({ table: written, id: String(id) })}\n` : `${safeText(String(id))}\n`,
          )
        }
        count += rows.length
      }
    } catch (error) {
      if (count > 0) terminal.stderr.write(`${count.toLocaleString('en')} jobs before were enqueued\n`)
      throw error
    }
  })
  return 0
}

const insert = async (jobs: Jobs, rows: readonly object[], delay: { readonly delay?: number }) =>
  enqueue(jobs.db, jobs.name, rows, delay)

interface Given {
  readonly values: Readonly<Record<string, unknown>>
  /** Where it was given. */
  readonly of: string
}

/** @throws OptionError where nobody would write them */
async function* linesOf({ stdin }: Terminal): AsyncGenerator<Given> {
  if (stdin === undefined || stdin.isTTY)
    throw new OptionError('Which jobs? Give --values, or lines of JSON on standard input')
  let number = 0
  for await (const line of createInterface({ input: stdin, crlfDelay: Number.POSITIVE_INFINITY })) {
    number += 1
    if (line.trim() !== '') yield { values: valuesIn(line, `line ${number}`), of: `line ${number}` }
  }
}

async function* chunksOf(given: Iterable<Given> | AsyncIterable<Given>): AsyncGenerator<Given[]> {
  let chunk: Given[] = []
  for await (const each of given) {
    chunk.push(each)
    if (chunk.length < chunkSize) continue
    yield chunk
    chunk = []
  }
  if (chunk.length > 0) yield chunk
}

/** Values that are no columns of a job. */
class ValuesError extends Error {
  override readonly name = 'ValuesError'
  readonly code = 'VALUES'
}

/** @throws ValuesError */
function valuesIn(text: string, of: string): Given['values'] {
  let values: unknown
  try {
    values = JSON.parse(text)
  } catch (error) {
    throw new ValuesError(`${of} is no JSON: ${error instanceof Error ? error.message : String(error)}`)
  }
  if (typeof values === 'object' && values !== null && !Array.isArray(values)) return { ...values }
  throw new ValuesError(`${of} is no object of columns: write {"to": "ada@example.com"}`)
}

/** By the columns' names in the database; what goes into a column of JSON goes there as it is. */
function rowOf(view: JobView, values: Given['values'], of: string): Readonly<Record<string, unknown>> {
  const entries = Object.entries(values).map(([name, value]) => {
    try {
      const column = columnCalled(view, name)
      return [column.name, column.kind === 'json' && value !== null ? JSON.stringify(value) : value]
    } catch (error) {
      throw new ValuesError(`${of}: ${error instanceof Error ? error.message : String(error)}`)
    }
  })
  return Object.fromEntries(entries)
}
