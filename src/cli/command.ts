import { createRequire } from 'node:module'
import type { CliCommand, ExitCode } from './cli-command.js'
import { commands, usage } from './commands.js'
import { type Terminal, UsageError } from './terminal.js'

/**
 * Runs a command line, without the names of node and script. Never throws: what goes wrong is one line on
 * stderr, with neither a stack trace nor a password.
 * @returns the exit code: 0, or what the command has for an error or for something found
 */
export async function runCommand(argv: readonly string[], terminal: Terminal): Promise<ExitCode> {
  let command: CliCommand | undefined
  try {
    const called = callIn(argv)
    if (called === undefined) return answer(argv, terminal)
    command = await called.load()
    return await command.run(called.argv, terminal)
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    terminal.stderr.write(`kysely-jobs: ${message.replaceAll(/\s*[\r\n]+\s*/g, ' ')}\n`)
    if (error instanceof UsageError) terminal.stderr.write(`\n${command?.usage ?? usage}`)
    return command?.failed ?? 1
  }
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
    const names = new Intl.ListFormat('en', { type: 'disjunction' }).format(Object.keys(commands))
    throw new UsageError(`${first === undefined || first.startsWith('-') ? 'No' : 'Unknown'} command: say ${names}`)
  }
  return 0
}

function ownVersion(): string {
  const manifest: { version: string } = createRequire(import.meta.url)('kysely-jobs/package.json')
  return manifest.version
}
