import { cliCommand } from './cli-command.js'
import { databaseOptions, selectionOptions } from './shared-options.js'
import { selectionLines, usageText } from './usage-text.js'

/** `kysely-jobs reschedule` */
export const rescheduleCommand = cliCommand({
  usage: usageText({
    line: 'reschedule [table]',
    about:
      'Lets jobs that wait run at another time, or at another priority; their attempts stay counted. It counts them first,\nand asks.',
    options: [
      ['--to <time>', 'when they are due: 2h, 2026-12-24, 2026-12-24T18:00+01:00 (without a zone: UTC), now, infinity'],
      ['--priority <n>', 'the priority that they take: higher runs first'],
      ['--table <name>', 'the table, where it is not the first argument; it may be left out where there is one'],
      ...selectionLines,
    ],
    samples: [
      'reschedule mail_jobs --state due --to 2h',
      "reschedule mail_jobs --where 'tenant_id=7' --priority 10 --yes",
    ],
  }),
  goesOn: true,
  options: {
    ...databaseOptions,
    ...selectionOptions,
    to: { type: 'string' },
    priority: { type: 'string' },
  },
  run: async (values, terminal, [table]) => (await import('./bulk/verbs.js')).reschedule(values, terminal, table),
})
