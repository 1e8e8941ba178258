import { cliCommand } from './cli-command.js'
import { databaseOptions } from './shared-options.js'
import { usageText } from './usage-text.js'

/** `kysely-jobs dashboard` */
export const dashboardCommand = cliCommand({
  usage: usageText({
    line: 'dashboard [table]',
    about:
      'Serves the dashboard on this machine alone, until Ctrl-C, at the address that it prints. The address lets whoever has\nit in, and nobody else.',
    options: [
      ['--table <name>', 'only this table; repeatable (default: all job tables, or those of the settings)'],
      ['--port <n>', 'where to listen (default: 4747, or the next that is free)'],
      ['--read-only', 'nothing can be changed'],
    ],
    samples: ['dashboard', 'dashboard --table mail_jobs --read-only'],
  }),
  goesOn: true,
  options: {
    ...databaseOptions,
    table: { type: 'string', multiple: true },
    port: { type: 'string' },
    'read-only': { type: 'boolean' },
  },
  run: async (values, terminal, [table]) => (await import('./serve/dashboard.js')).serve(values, terminal, table),
})
