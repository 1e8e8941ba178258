import { cliCommand } from './cli-command.js'
import { databaseOptions, selectionOptions } from './shared-options.js'
import { selectionLines, usageText } from './usage-text.js'

/** `kysely-jobs run` */
export const runCommand = cliCommand({
  usage: usageText({
    line: 'run [table]',
    about:
      'Makes jobs due now that are scheduled, or wait for a retry; their attempts stay counted. It counts them first, and asks.',
    options: [
      ['--table <name>', 'the table, where it is not the first argument; it may be left out where there is one'],
      ...selectionLines,
    ],
    samples: ['run mail_jobs --id 4711', "run mail_jobs --state scheduled --where 'tenant_id=7' --yes"],
  }),
  goesOn: true,
  options: {
    ...databaseOptions,
    ...selectionOptions,
  },
  run: async (values, terminal, [table]) => (await import('./bulk/verbs.js')).runNow(values, terminal, table),
})
