import { type ParseArgsConfig, parseArgs } from 'node:util'
import { type Terminal, UsageError } from './terminal.js'

/** How a command ends: well, with something found or gone wrong, or (where it tells the two apart) gone wrong. */
export type ExitCode = 0 | 1 | 2

type Options = NonNullable<ParseArgsConfig['options']>

/** One command of the command line, in a file of its own, which is loaded when it is called. */
export interface CliCommand {
  /** What `--help` shows, with samples; it ends with a line break. */
  readonly usage: string
  /** The exit code of a command line that makes no sense, and of an error. */
  readonly failed: ExitCode
  /** That of an error of anything but the command line and the connection. */
  readonly broken: ExitCode
  /** What it does goes on when nobody reads any more what it prints. */
  readonly goesOn?: boolean
  /** Runs it on the arguments behind its name. @throws UsageError, and whatever is to be one line on stderr */
  run(argv: readonly string[], terminal: Terminal): Promise<ExitCode>
}

interface Described<Given extends Options> {
  readonly usage: string
  /** Default: 2. */
  readonly failed?: ExitCode
  /** Default: 1. */
  readonly broken?: ExitCode
  readonly goesOn?: boolean
  /** The options but for `--help`, as `parseArgs` takes them. */
  readonly options: Given
  /** How many arguments that are no options it takes at most. Default: one. */
  readonly most?: number
  /** What is said of one more, where it is not what all others say. */
  readonly stray?: string
  readonly run: (values: Values<Given>, terminal: Terminal, given: readonly string[]) => Promise<ExitCode>
}

export type Values<Given extends Options> = ReturnType<typeof parseArgs<{ options: Given }>>['values']

/** A command of options, and of as many other arguments as it takes. */
export function cliCommand<const Given extends Options>(described: Described<Given>): CliCommand {
  const { usage, failed = 2, broken = 1, goesOn = false, options, most = 1, stray = strayOf(usage), run } = described
  return {
    usage,
    failed,
    broken,
    goesOn,
    run: async (argv, terminal) => {
      const { values, positionals } = await readArguments(argv, { ...options, help: { type: 'boolean', short: 'h' } })
      if (values.help) {
        terminal.stdout.write(usage)
        return 0
      }
      // Not shown: it may be a URL with a password, where --url was forgotten. The id of a job may be another URL.
      if (positionals.length > most || positionals.some((text) => database.test(text))) throw new UsageError(stray)
      return run(values as Values<Given>, terminal, positionals) // those of `--help` are no business of the command
    },
  }
}

/** By the first line of a usage. */
const strayOf = (usage: string): string =>
  `An argument too many: write ${/kysely-jobs.*/.exec(usage)?.[0]}; the database is given as --url <url>`

const database = /^postgres(?:ql)?:|:\/\/.*@/i

/** @throws UsageError */
async function readArguments(argv: readonly string[], options: Options) {
  try {
    return parseArgs({ args: [...argv], allowPositionals: true, options })
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    // Not shown where it may be a URL with a password, run into an option.
    if (message.includes('://')) throw new UsageError('There is no such option')
    const [said, name] = /^Unknown option '--([\w-]+)'/.exec(message) ?? []
    if (name === undefined) throw new UsageError(message)
    const { nearest } = await import('../observe/nearest.js')
    const near = nearest(name, Object.keys(options))
    throw new UsageError(near === undefined ? `${said}` : `${said}; did you mean --${near}?`)
  }
}
