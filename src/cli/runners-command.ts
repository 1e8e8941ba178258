import { cliCommand } from './cli-command.js'
import { databaseOptions, timeOptions } from './shared-options.js'
import { usageText } from './usage-text.js'

/** `kysely-jobs runners` */
export const runnersCommand = cliCommand({
  usage: usageText({
    line: 'runners',
    about:
      'Lists the runners of the database with their workers; those that died without a word for an hour. By the table that\ncreateJobRunners of kysely-jobs/migrate makes.',
    options: [['--utc', 'times as they are, in UTC']],
    samples: ['runners', "runners --json | jq '.runners[].version'"],
  }),
  options: { ...databaseOptions, ...timeOptions },
  run: async (values, terminal) => (await import('./look/runners.js')).runners(values, terminal),
})
