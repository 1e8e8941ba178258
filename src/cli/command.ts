import { createRequire } from 'node:module'
import type { CliCommand, ExitCode } from './cli-command.js'
import { commands, usage } from './commands.js'
import { heedOutput } from './lost-output.js'
import { complain } from './show/tell.js'
import { OptionError, type Terminal, UsageError } from './terminal.js'

/** What the command line itself is to blame for, or the way to the database, by the codes of our errors. */
const ofCommandLine: ReadonlySet<unknown> = new Set([
  ...['USAGE', 'CONFIG', 'DATABASE_URL', 'CONNECTION', 'NO_SUCH_TABLE', 'FILTER', 'CURSOR'],
  ...['INVALID_DURATION', 'INVALID_BULK_OPTION', 'INVALID_PAUSE', 'INVALID_KEY', 'INVALID_OPTION', 'INVALID_LIMIT'],
])

/**
 * Runs a command line, without the names of node and script. Never throws: what goes wrong is one line on
 * stderr, with neither a stack trace nor a password.
 * @returns the exit code: 0, or what the command has for an error or for something found
 */
export async function runCommand(argv: readonly string[], terminal: Terminal): Promise<ExitCode> {
  let command: CliCommand | undefined
  let name = ''
  const output = heedOutput(terminal, () => command)
  try {
    const line = argv[0] === 'help' ? [...argv.slice(1), '--help'] : argv
    const called = callIn(line)
    if (called === undefined) return await answer(line, terminal)
    name = called.name
    command = await called.load()
    const code = await command.run(called.argv, terminal)
    return output.isLost() && code === 0 ? 1 : code
  } catch (error) {
    complain(terminal.stderr, error)
    // A whole usage would bury what is wrong; who names no command wants the list of them.
    if (error instanceof UsageError)
      terminal.stderr.write(command === undefined ? `\n${usage}` : `See kysely-jobs ${name} --help\n`)
    return codeFor(error, command)
  } finally {
    output.end()
  }
}

function codeFor(error: unknown, command: CliCommand | undefined): ExitCode {
  if (command === undefined) return 2
  const { failed, broken } = command
  return error instanceof Error && ofCommandLine.has(Reflect.get(error, 'code')) ? failed : broken
}

/** The options that take no value: what stands behind any other is one, also where it is the name of a command. */
export const flags: ReadonlySet<string> = new Set([
  ...['-h', '--help', '--json', '--utc', '--all', '--yes', '--dry-run'],
  ...['--watch', '--desc', '--read-only', '--verify', '--fix-sql'],
])

/** The command that is called, and the arguments beside its name, which may stand behind its options. */
function callIn(argv: readonly string[]) {
  const isValue = (before = '') => before.startsWith('-') && !before.includes('=') && !flags.has(before)
  const isCommand = (each: string, n: number) => Object.hasOwn(commands, each) && !isValue(argv[n - 1])
  const at = argv[0]?.startsWith('-') ? argv.findIndex(isCommand) : 0
  const name = argv[at] ?? ''
  const called = Object.hasOwn(commands, name) ? commands[name] : undefined
  return called && { ...called, name, argv: argv.toSpliced(at, 1) }
}

/** Of a command line that calls no command. */
async function answer([first, ...more]: readonly string[], terminal: Terminal): Promise<ExitCode> {
  const isAsked = (...names: string[]) => more.length === 0 && names.includes(first ?? '')
  if (isAsked('-h', '--help')) terminal.stdout.write(usage)
  else if (isAsked('-v', '--version')) terminal.stdout.write(`${ownVersion()}\n`)
  else {
    // What was said is not shown: it may be a URL with a password.
    if (first === undefined || first.startsWith('-')) throw new UsageError('No command: say one of these')
    const { nearest } = await import('../observe/nearest.js')
    const near = nearest(first, Object.keys(commands))
    if (near === undefined) throw new UsageError('Unknown command: say one of these')
    throw new OptionError(`Unknown command: did you mean ${near}? kysely-jobs --help lists all`)
  }
  return 0
}

function ownVersion(): string {
  const manifest: { version: string } = createRequire(import.meta.url)('kysely-jobs/package.json')
  return manifest.version
}
