import { cliCommand } from './cli-command.js'
import { databaseOptions, timeOptions } from './shared-options.js'
import { usageText } from './usage-text.js'

/** `kysely-jobs pauses` */
export const pausesCommand = cliCommand({
  usage: usageText({
    line: 'pauses [table]',
    about: 'Lists what is paused: job tables, and keys of them.',
    options: [
      ['--table <name>', 'only this table; repeatable (default: all job tables, or those of the settings)'],
      ['--utc', 'times as they are, in UTC'],
    ],
    samples: ['pauses', 'pauses mail_jobs --json'],
  }),
  options: { ...databaseOptions, ...timeOptions, table: { type: 'string', multiple: true } },
  run: async (values, terminal, [table]) => (await import('./look/pauses.js')).pauses(values, terminal, table),
})
