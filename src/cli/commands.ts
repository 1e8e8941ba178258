import type { CliCommand } from './cli-command.js'

interface ListedCommand {
  /** What it does, in the list that `--help` shows. */
  readonly summary: string
  /** Loads its file, which loads what the command needs when it runs: to show a usage must not take a database driver. */
  readonly load: () => Promise<CliCommand>
}

/** All commands, in the order in which they are listed. */
export const commands: Readonly<Record<string, ListedCommand>> = {
  generate: {
    summary: 'writes the Kysely interface of a Postgres database',
    load: async () => (await import('./generate-command.js')).generateCommand,
  },
  doctor: {
    summary: 'finds what is wrong with job tables and their server, and what mends it',
    load: async () => (await import('./doctor-command.js')).doctorCommand,
  },
}

/** What `--help` shows where no command is named. */
export const usage = `Usage: kysely-jobs <command> [options]

Commands:
${Object.entries(commands)
  .map(([name, { summary }]) => `  ${name.padEnd(10)} ${summary}\n`)
  .join('')}
Options:
  -h, --help     show this, or with a command its options
  -v, --version  show the version
`
