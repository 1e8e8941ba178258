import { generateTypes } from '../../codegen/generated-file.js'
import { withDatabase } from './database.js'
import { difference } from './difference.js'
import { readConfig } from './open/config.js'
import { readOutput, writeOutput } from './output-file.js'
import { complain } from './show/tell.js'
import { type Terminal, UsageError } from './terminal.js'

export interface GenerateOptions {
  readonly out: string | undefined
  readonly url: string | undefined
  readonly config: string | undefined
  readonly schemas: readonly string[]
  readonly tables: readonly string[]
  readonly verify: boolean
}

/** `kysely-jobs generate`: prints, writes or verifies the types of a live database. */
export async function generate(
  { out, url, config, verify, ...selection }: GenerateOptions,
  terminal: Terminal,
): Promise<0 | 1> {
  if (verify && out === undefined) throw new UsageError('--verify needs --out: the file to compare with the database')
  const warn = (warning: string) => complain(terminal.stderr, warning)
  const text = await withDatabase(url ?? (terminal.env.DATABASE_URL || (await readConfig(config)).url), (db) =>
    generateTypes(db, selection, { previous: out === undefined ? undefined : readOutput(out), warn }),
  )
  if (out === undefined) {
    terminal.stdout.write(text)
    return 0
  }
  if (verify) return verifyOutput(out, text, terminal)
  refuseWritten(out)
  const changed = writeOutput(out, text)
  terminal.stderr.write(`${out} ${changed ? 'written' : 'is up to date'}\n`)
  return 0
}

/** A file that no generator made is somebody's work: most likely the path is wrong. */
function refuseWritten(out: string): void {
  const found = readOutput(out)
  if (found === undefined || found.trim() === '' || /generated/i.test(found.slice(0, 300))) return
  throw new Error(`${out} is there and says nowhere that it is generated: delete it, or choose another --out`)
}

function verifyOutput(out: string, text: string, { stdout, stderr }: Terminal): 0 | 1 {
  const found = readOutput(out)
  if (found === undefined) throw new Error(`${out} does not exist: run the same command without --verify`)
  const lines = difference(found, text)
  if (lines.length === 0) {
    stderr.write(`${out} is up to date\n`)
    return 0
  }
  stdout.write(`--- ${out}\n+++ the database\n${lines.map((line) => `${line}\n`).join('')}`)
  throw new Error(`${out} is out of date: run the same command without --verify`)
}
