import { createInterface } from 'node:readline'
import { columnCalled } from '../../observe/filter.js'
import type { JobView } from '../../observe/view.js'
import { OptionError, type Terminal } from '../terminal.js'
import { parseExactly, plainValue } from './exact-json.js'

/** A job as it was written. */
export interface GivenJob {
  readonly values: Readonly<Record<string, unknown>>
  /** Where it was given. */
  readonly of: string
}

/** Values that are no columns of a job. */
export class ValuesError extends Error {
  override readonly name = 'ValuesError'
  readonly code = 'VALUES'
}

/**
 * The jobs of the lines on standard input. They are read as bytes: a decoder that repairs what is no UTF-8 would have a job enqueued that nobody wrote.
 * @throws OptionError where nobody would write them; ValuesError
 */
export async function* linesOf({ stdin }: Terminal): AsyncGenerator<GivenJob> {
  if (stdin === undefined || stdin.isTTY)
    throw new OptionError('Which jobs? Give --values, or lines of JSON on standard input')
  const input = stdin.setEncoding('latin1')
  let number = 0
  for await (const bytes of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
    number += 1
    const line = decoded(bytes, `line ${number}`)
    if (line.trim() !== '') yield { values: valuesIn(line, `line ${number}`), of: `line ${number}` }
  }
}

/** Without the mark that some editors put at the beginning. */
const utf8 = new TextDecoder('utf-8', { fatal: true })

/** @throws ValuesError */
function decoded(bytes: string, of: string): string {
  try {
    return utf8.decode(Buffer.from(bytes, 'latin1'))
  } catch {
    throw new ValuesError(`${of} is not in UTF-8: convert the file first (iconv -t utf-8)`)
  }
}

/** The columns of a job, as an object of JSON. @throws ValuesError */
export function valuesIn(text: string, of: string): GivenJob['values'] {
  let values: unknown
  try {
    values = parseExactly(text)
  } catch (error) {
    throw new ValuesError(`${of} is no JSON: ${error instanceof Error ? error.message : String(error)}`)
  }
  if (typeof values === 'object' && values !== null && !Array.isArray(values)) return { ...values }
  throw new ValuesError(`${of} is no object of columns: write {"to": "ada@example.com"}`)
}

/** By the columns' names in the database; what goes into a column of JSON goes there as it is. @throws ValuesError */
export function rowOf(view: JobView, { values, of }: GivenJob): Readonly<Record<string, unknown>> {
  const entries = Object.entries(values).map(([name, value]) => {
    try {
      const column = columnCalled(view, name)
      return [column.name, column.kind === 'json' && value !== null ? JSON.stringify(value) : plainValue(value)]
    } catch (error) {
      throw new ValuesError(`${of}: ${error instanceof Error ? error.message : String(error)}`)
    }
  })
  return Object.fromEntries(entries)
}
