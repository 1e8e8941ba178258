import { cliCommand } from './cli-command.js'
import { databaseOptions } from './shared-options.js'
import { usageText } from './usage-text.js'

/** `kysely-jobs status` */
export const statusCommand = cliCommand({
  usage: usageText({
    line: 'status [table]',
    about:
      'Shows how it is with each job table: what is due, for how long, what runs, waits and has failed, and who works it.',
    options: [
      ['--table <name>', 'only this table; repeatable (default: all job tables, or those of the settings)'],
      ['--watch', 'go on: redrawn in a terminal, else a line for each table each time'],
      ['--every <time>', 'how often (default: 2s)'],
    ],
    samples: ['status', 'status mail_jobs --watch', "status --json | jq '.tables[].due.count'"],
  }),
  options: {
    ...databaseOptions,
    table: { type: 'string', multiple: true },
    watch: { type: 'boolean' },
    every: { type: 'string' },
  },
  run: async (values, terminal, [table]) => (await import('./look/status.js')).status(values, terminal, table),
})
