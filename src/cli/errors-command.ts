import { cliCommand } from './cli-command.js'
import { databaseOptions, timeOptions } from './shared-options.js'
import { usageText } from './usage-text.js'

/** `kysely-jobs errors` */
export const errorsCommand = cliCommand({
  usage: usageText({
    line: 'errors [table]',
    about:
      'Groups the errors of jobs that have failed, timed out or will be tried again by what they have in common, the most\nfrequent first. `--error <kind>` of other commands takes the jobs of a group.',
    options: [
      ['--table <name>', 'only this table; repeatable (default: all job tables, or those of the settings)'],
      ['--utc', 'times as they are, in UTC'],
    ],
    samples: ['errors', 'errors mail_jobs --json', 'retry mail_jobs --error 6c1f0e9b2a'],
  }),
  options: { ...databaseOptions, ...timeOptions, table: { type: 'string', multiple: true } },
  run: async (values, terminal, [table]) => (await import('./look/errors.js')).errors(values, terminal, table),
})
