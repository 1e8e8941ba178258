import { cliCommand } from './cli-command.js'
import { databaseOptions, timeOptions } from './shared-options.js'
import { usageText } from './usage-text.js'

/** `kysely-jobs schedules` */
export const schedulesCommand = cliCommand({
  usage: usageText({
    line: 'schedules [pause|resume|run|remove [table] <name>]',
    about:
      'Lists recurring jobs with their last and next slot; or pauses one, resumes it, makes a job of it now, or removes it.',
    options: [
      ['--table <name>', 'only those of this table'],
      ['--utc', 'times as they are, in UTC'],
    ],
    samples: ['schedules', 'schedules pause report_jobs nightly', 'schedules run nightly'],
  }),
  most: 3,
  options: { ...databaseOptions, ...timeOptions, table: { type: 'string' } },
  run: async (values, terminal, given) => (await import('./steer/schedules.js')).schedules(values, terminal, given),
})
