import { cliCommand } from './cli-command.js'
import { databaseOptions } from './shared-options.js'
import { usageText } from './usage-text.js'

/** `kysely-jobs limits` */
export const limitsCommand = cliCommand({
  usage: usageText({
    line: 'limits [table], or limits set|unset <table>',
    about:
      'Lists the limits that hold, by limitJobs or by the options of workers that run now, and how many jobs run of each key.\nOr sets how many jobs of a table, or of a key of it, may run: for workers that have a limit by the same columns, and by\nthe table that createJobLimits of kysely-jobs/migrate makes. Unset, it is as the workers say; where none was set, the exit\ncode is 1.',
    options: [
      ['--table <name>', 'only this table; repeatable (default: all job tables, or those of the settings)'],
      ['--where <column=value>', 'only jobs with this value; repeatable: with all of them'],
      ['--max <n>', 'the most jobs that may run; 0 lets none begin'],
    ],
    samples: [
      'limits mail_jobs --json',
      "limits set mail_jobs --where 'tenant_id=7' --max 2",
      "limits unset mail_jobs --where 'tenant_id=7'",
    ],
  }),
  most: 2,
  options: {
    ...databaseOptions,
    table: { type: 'string', multiple: true },
    where: { type: 'string', multiple: true },
    max: { type: 'string' },
  },
  run: async (values, terminal, given) => (await import('./steer/limits.js')).limitsOrChange(values, terminal, given),
})
