import { cliCommand } from './cli-command.js'
import { databaseOptions, selectionOptions } from './shared-options.js'
import { selectionLines, usageText } from './usage-text.js'

/** `kysely-jobs retry` */
export const retryCommand = cliCommand({
  usage: usageText({
    line: 'retry [table]',
    about:
      'Lets jobs run again from the first attempt: those that have ended, also from the archive, and those that wait. It\ncounts them first, and asks.',
    options: [
      ['--delay <time>', 'when they are due from now: 5m (default: at once)'],
      ['--table <name>', 'the table, where it is not the first argument; it may be left out where there is one'],
      ...selectionLines,
    ],
    samples: [
      "retry mail_jobs --state failed --where 'updated_at>-1d'",
      'retry mail_jobs --id 4711 --yes',
      'retry mail_jobs --error 1f6c9be0 --dry-run',
    ],
  }),
  goesOn: true,
  options: {
    ...databaseOptions,
    ...selectionOptions,
    delay: { type: 'string' },
  },
  run: async (values, terminal, [table]) => (await import('./bulk/verbs.js')).retry(values, terminal, table),
})
