import { cliCommand } from './cli-command.js'
import { databaseOptions, strayArgument } from './shared-options.js'
import { usageText } from './usage-text.js'

/** `kysely-jobs limits` */
export const limitsCommand = cliCommand({
  usage: usageText({
    line: 'limits [table]',
    about:
      'Lists the limits that hold, by limitJobs or by the options of workers that run now, and how many jobs run of each key.',
    options: [['--table <name>', 'only this table; repeatable (default: all job tables, or those of the settings)']],
    samples: ['limits', 'limits mail_jobs --json'],
  }),
  failed: 2,
  broken: 1,
  most: 1,
  stray: strayArgument,
  options: { ...databaseOptions, table: { type: 'string', multiple: true } },
  run: async (values, terminal, [table]) => (await import('./look/limits.js')).limits(values, terminal, table),
})
