import { cliCommand } from './cli-command.js'
import { databaseOptions, selectionOptions } from './shared-options.js'
import { selectionLines, usageText } from './usage-text.js'

/** `kysely-jobs cancel` */
export const cancelCommand = cliCommand({
  usage: usageText({
    line: 'cancel [table]',
    about:
      'Ends jobs on purpose, those that wait and those that run, whose handlers are told. It counts them first, and asks.',
    options: [
      ['--reason <text>', 'why, for last_error (default: on request)'],
      ['--table <name>', 'the table, where it is not the first argument; it may be left out where there is one'],
      ...selectionLines,
    ],
    samples: [
      "cancel mail_jobs --where 'tenant_id=7' --reason 'the customer left'",
      'cancel mail_jobs --id 4711 --yes',
    ],
  }),
  goesOn: true,
  options: {
    ...databaseOptions,
    ...selectionOptions,
    reason: { type: 'string' },
  },
  run: async (values, terminal, [table]) => (await import('./bulk/verbs.js')).cancel(values, terminal, table),
})
