import { cliCommand } from './cli-command.js'
import { databaseOptions, selectionOptions } from './shared-options.js'
import { selectionLines, usageText } from './usage-text.js'

/** `kysely-jobs delete` */
export const deleteCommand = cliCommand({
  usage: usageText({
    line: 'delete [table]',
    about:
      'Deletes jobs for good, those that wait and those that have ended, also from the archive; what runs has to be cancelled\nfirst. It counts them first, and asks.',
    options: [
      ['--table <name>', 'the table, where it is not the first argument; it may be left out where there is one'],
      ...selectionLines,
    ],
    samples: ["delete mail_jobs --where 'tenant_id=7'", 'delete mail_jobs --state cancelled --yes'],
  }),
  goesOn: true,
  options: {
    ...databaseOptions,
    ...selectionOptions,
  },
  run: async (values, terminal, [table]) => (await import('./bulk/verbs.js')).remove(values, terminal, table),
})
