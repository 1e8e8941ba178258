import { createRequire } from 'node:module'
import type { CliCommand, ExitCode } from './cli-command.js'
import { commands, usage } from './commands.js'
import { heedOutput } from './lost-output.js'
import { safeText } from './show/safe-text.js'
import { type Terminal, UsageError } from './terminal.js'

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
  const output = heedOutput(terminal, () => command)
  try {
    const called = callIn(argv)
    if (called === undefined) return answer(argv, terminal)
    command = await called.load()
    const code = await command.run(called.argv, terminal)
    return output.isLost() && code === 0 ? 1 : code
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    terminal.stderr.write(`kysely-jobs: ${safeText(message.replaceAll(/\s*[\r\n]+\s*/g, ' '))}\n`)
    if (error instanceof UsageError) terminal.stderr.write(`\n${command?.usage ?? usage}`)
    return codeFor(error, command)
  } finally {
    output.end()
  }
}

function codeFor(error: unknown, command: CliCommand | undefined): ExitCode {
  if (command === undefined) return 2
  const { failed, broken = failed } = command
  return error instanceof Error && ofCommandLine.has(Reflect.get(error, 'code')) ? failed : broken
}

/** The command that is called, and the arguments beside its name, which may stand behind its options. */
function callIn(argv: readonly string[]) {
  const at = argv[0]?.startsWith('-') ? argv.findIndex((each) => Object.hasOwn(commands, each)) : 0
  const called = Object.hasOwn(commands, argv[at] ?? '') ? commands[argv[at] ?? ''] : undefined
  return called && { ...called, argv: argv.toSpliced(at, 1) }
}

/** Of a command line that calls no command. */
function answer([first, ...more]: readonly string[], terminal: Terminal): ExitCode {
  const isAsked = (...names: string[]) => more.length === 0 && names.includes(first ?? '')
  if (isAsked('-h', '--help')) terminal.stdout.write(usage)
  else if (isAsked('-v', '--version')) terminal.stdout.write(`${ownVersion()}\n`)
  else {
    // What was said is not shown: it may be a URL with a password.
    const isNone = first === undefined || first.startsWith('-')
    throw new UsageError(`${isNone ? 'No command' : 'Unknown command'}: say one of these`)
  }
  return 0
}

function ownVersion(): string {
  const manifest: { version: string } = createRequire(import.meta.url)('kysely-jobs/package.json')
  return manifest.version
}
