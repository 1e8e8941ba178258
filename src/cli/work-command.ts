import { cliCommand } from './cli-command.js'

const usage = `Usage: kysely-jobs work <file>

Runs the workers that a module exports, by createWorker or createBatchWorker, with a runner, until SIGTERM or Ctrl-C; and
fires the schedules that it exports, by schedule(...). A module that exports a runner of its own has that run. What a
module exports may be lists of them.

Options:
  -h, --help  show this

Samples:
  kysely-jobs work ./worker.ts
  NODE_OPTIONS=--env-file=.env kysely-jobs work dist/worker.js
`

/** `kysely-jobs work` */
export const workCommand = cliCommand({
  usage,
  goesOn: true,
  stray: 'work takes one file: the module has its own database',
  options: {},
  run: async (_, terminal, [file]) => (await import('./serve/work.js')).work(terminal, file),
})
