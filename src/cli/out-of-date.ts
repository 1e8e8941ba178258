import type { Kysely } from 'kysely'
import { generateTypes } from '../../codegen/generated-file.js'
import { type Finding, finding } from '../doctor/finding.js'
import { difference } from './difference.js'
import { readOutput } from './output-file.js'

/** Whether a file of `kysely-jobs generate` is out of date: a finding, or none. */
export async function outOfDate(db: Kysely<unknown>, file: string): Promise<Finding[]> {
  const found = readOutput(file)
  if (found === undefined) throw new Error(`${file} does not exist: make it by kysely-jobs generate --out ${file}`)
  const command = /^\/\/ npx kysely-jobs generate (.*)$/m.exec(found)?.[1]
  if (command === undefined) {
    throw new Error(`${file} was not made by kysely-jobs generate: leave --types out, or make it anew by that`)
  }
  const current = await generateTypes(db, selectionIn(command), { previous: found })
  const lines = difference(found, current).filter((line) => /^[+-]/.test(line)).length
  if (lines === 0) return []
  return [
    finding('types-out-of-date', {
      what: `${file} differs from the database by ${lines} line${lines === 1 ? '' : 's'}.`,
      why: 'Programs that compile by it may write what the database refuses, or not know a column.',
      remedy: `Run: npx kysely-jobs generate ${command.replace('<this file>', file)}`,
    }),
  ]
}

/** The options for which the file was made, as it says itself. */
function selectionIn(command: string): { schemas: string[]; tables: string[] } {
  const options = [...command.matchAll(/ --(schema|table) (?:'((?:[^']|'\\'')*)'|([\w.-]+))/g)]
  const of = (name: string) =>
    options.flatMap(([, option, quoted, plain]) =>
      option === name ? [plain ?? quoted?.replaceAll("'\\''", "'") ?? ''] : [],
    )
  return { schemas: of('schema'), tables: of('table') }
}
