import { cliCommand } from './cli-command.js'
import { databaseOptions, filterOptions, timeOptions } from './shared-options.js'
import { filterLines, usageText } from './usage-text.js'

/** `kysely-jobs list` */
export const listCommand = cliCommand({
  usage: usageText({
    line: 'list [table]',
    about:
      'Lists the jobs of a table and its archive: what runs, the longest first; what waits, by when it is due; what has\nended, the latest first.',
    options: [
      ['--table <name>', 'the table, where it is not the first argument; it may be left out where there is one'],
      ...filterLines,
      ['--columns <names>', 'the own columns to show: to,template'],
      ['--sort <column>', 'in the order of a column'],
      ['--desc', 'the greatest, or the latest, first'],
      ['--limit <n>', 'how many jobs, at most 10000 (default: 50)'],
      ['--after <cursor>', 'those behind a list that was printed'],
      ['--utc', 'times as they are, in UTC'],
    ],
    samples: [
      'list mail_jobs',
      "list mail_jobs --state failed --where 'tenant_id=7' --where 'updated_at>-1d'",
      "list mail_jobs --state due --json | jq -r '.jobs[].id'",
    ],
  }),
  options: {
    ...databaseOptions,
    ...timeOptions,
    ...filterOptions,
    columns: { type: 'string' },
    sort: { type: 'string' },
    desc: { type: 'boolean' },
    limit: { type: 'string' },
    after: { type: 'string' },
  },
  run: async (values, terminal, [table]) => (await import('./look/list.js')).list(values, terminal, table),
})
