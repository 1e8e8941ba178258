import { cliCommand } from './cli-command.js'
import { databaseOptions, timeOptions } from './shared-options.js'
import { usageText } from './usage-text.js'

/** `kysely-jobs show` */
export const showCommand = cliCommand({
  usage: usageText({
    line: 'show [table] <id>',
    about:
      'Shows a job with all its columns, and what has become of it. It is looked for in all job tables and archives, or in\nthose of the settings; where there is none of this id, the exit code is 1.',
    options: [
      ['--table <name>', 'only in this table and its archive'],
      ['--utc', 'times as they are, in UTC'],
    ],
    samples: ['show 0198f3a2-7c1e-7b44-9d55-2f6a1b0c9e11', "show mail_jobs 4711 --json | jq '.values.payload'"],
  }),
  most: 2,
  options: { ...databaseOptions, ...timeOptions, table: { type: 'string' } },
  run: async (values, terminal, given) => (await import('./look/show.js')).show(values, terminal, given),
})
