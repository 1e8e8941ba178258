import type { CliCommand } from './cli-command.js'

interface ListedCommand {
  /** What it does, in the list that `--help` shows. */
  readonly summary: string
  /** Loads its file, which loads what the command needs when it runs: to show a usage must not take a database driver. */
  readonly load: () => Promise<CliCommand>
}

/** All commands, in the order in which they are listed. */
export const commands: Readonly<Record<string, ListedCommand>> = {
  status: {
    summary: 'how it is with each job table',
    load: async () => (await import('./status-command.js')).statusCommand,
  },
  list: {
    summary: 'the jobs of a table, filtered and sorted',
    load: async () => (await import('./list-command.js')).listCommand,
  },
  show: {
    summary: 'a job with all its columns, and what has become of it',
    load: async () => (await import('./show-command.js')).showCommand,
  },
  errors: {
    summary: 'what fails, by kinds',
    load: async () => (await import('./errors-command.js')).errorsCommand,
  },
  retry: {
    summary: 'lets jobs run again',
    load: async () => (await import('./retry-command.js')).retryCommand,
  },
  run: {
    summary: 'makes jobs due now',
    load: async () => (await import('./run-command.js')).runCommand,
  },
  cancel: {
    summary: 'ends jobs, waiting or running',
    load: async () => (await import('./cancel-command.js')).cancelCommand,
  },
  delete: {
    summary: 'deletes jobs for good',
    load: async () => (await import('./delete-command.js')).deleteCommand,
  },
  reschedule: {
    summary: 'gives jobs another time or priority',
    load: async () => (await import('./reschedule-command.js')).rescheduleCommand,
  },
  prune: {
    summary: 'deletes what ended long ago',
    load: async () => (await import('./prune-command.js')).pruneCommand,
  },
  enqueue: {
    summary: 'inserts jobs',
    load: async () => (await import('./enqueue-command.js')).enqueueCommand,
  },
  pause: {
    summary: 'lets no worker begin jobs of a table, or of a key',
    load: async () => (await import('./pause-command.js')).pauseCommand,
  },
  resume: {
    summary: 'ends a pause',
    load: async () => (await import('./resume-command.js')).resumeCommand,
  },
  pauses: {
    summary: 'what is paused',
    load: async () => (await import('./pauses-command.js')).pausesCommand,
  },
  limits: {
    summary: 'which limits hold; sets or unsets one',
    load: async () => (await import('./limits-command.js')).limitsCommand,
  },
  schedules: {
    summary: 'recurring jobs; pauses, resumes, runs or removes one',
    load: async () => (await import('./schedules-command.js')).schedulesCommand,
  },
  runners: {
    summary: 'who works',
    load: async () => (await import('./runners-command.js')).runnersCommand,
  },
  dashboard: {
    summary: 'serves the dashboard on this machine',
    load: async () => (await import('./dashboard-command.js')).dashboardCommand,
  },
  work: {
    summary: 'runs the workers that a module exports',
    load: async () => (await import('./work-command.js')).workCommand,
  },
  generate: {
    summary: 'writes the Kysely interface of a Postgres database',
    load: async () => (await import('./generate-command.js')).generateCommand,
  },
  doctor: {
    summary: 'finds what is wrong with job tables and their server, and what mends it',
    load: async () => (await import('./doctor-command.js')).doctorCommand,
  },
  conformance: {
    summary: 'tries on your server what this package promises',
    load: async () => (await import('./conformance-command.js')).conformanceCommand,
  },
}

/** What `--help` shows where no command is named. */
export const usage = `Usage: kysely-jobs <command> [options]

Commands:
${Object.entries(commands)
  .map(([name, { summary }]) => `  ${name.padEnd(11)} ${summary}\n`)
  .join('')}
Options:
  -h, --help     show this, or with a command its options
  -v, --version  show the version
`
