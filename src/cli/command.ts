import { createRequire } from 'node:module'
import { parseArgs } from 'node:util'
import { generate } from './generate.js'
import { type Terminal, UsageError } from './terminal.js'

const usage = `Usage: kysely-jobs generate [options]

Reads a Postgres database and writes the Kysely interface of all its tables and views.

Options:
  --out <file>        write to this file, if it changes (default: print)
  --url <url>         the database, as postgres://user:password@host:port/name (default: $DATABASE_URL)
  --schema <pattern>  only tables of this schema; * stands for any characters; repeatable
  --table <pattern>   only tables of this name, or schema.name; * stands for any characters; repeatable
  --verify            write nothing; exit with 1 and show the difference if --out is out of date
  -h, --help          show this
  -v, --version       show the version
`

/**
 * Runs a command line, without the names of node and script. Never throws: what goes wrong is one line on
 * stderr, with neither a stack trace nor a password.
 * @returns the exit code: 0, or 1 for an error or a difference found by `--verify`
 */
export async function runCommand(argv: readonly string[], terminal: Terminal): Promise<0 | 1> {
  try {
    return await dispatch(argv, terminal)
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    terminal.stderr.write(`kysely-jobs: ${message.replaceAll(/\s*[\r\n]+\s*/g, ' ')}\n`)
    if (error instanceof UsageError) terminal.stderr.write(`\n${usage}`)
    return 1
  }
}

async function dispatch(argv: readonly string[], terminal: Terminal): Promise<0 | 1> {
  const { values, positionals } = readArguments(argv)
  const [command, extra] = positionals
  // Not shown: it may be a URL with a password, where --url was forgotten.
  if (extra !== undefined)
    throw new UsageError('generate takes options only: the database as --url <url>, the file as --out <file>')
  const { help, version, verify = false, out, url, schema: schemas = [], table: tables = [] } = values
  if (help || version) {
    terminal.stdout.write(help ? usage : `${ownVersion()}\n`)
    return 0
  }
  if (command !== 'generate') throw new UsageError(`${command === undefined ? 'No' : 'Unknown'} command: say generate`)
  return generate({ out, url, verify, schemas, tables }, terminal)
}

function readArguments(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        out: { type: 'string' },
        url: { type: 'string' },
        schema: { type: 'string', multiple: true },
        table: { type: 'string', multiple: true },
        verify: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
        version: { type: 'boolean', short: 'v' },
      },
    })
  } catch (error) {
    // Not shown where it may be a URL with a password, run into an option.
    const message = error instanceof Error ? error.message : String(error)
    throw new UsageError(message.includes('://') ? 'There is no such option' : message)
  }
}

function ownVersion(): string {
  const manifest: { version: string } = createRequire(import.meta.url)('kysely-jobs/package.json')
  return manifest.version
}
