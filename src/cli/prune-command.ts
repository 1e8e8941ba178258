import { cliCommand } from './cli-command.js'
import { databaseOptions } from './shared-options.js'
import { usageText } from './usage-text.js'

/** `kysely-jobs prune` */
export const pruneCommand = cliCommand({
  usage: usageText({
    line: 'prune [table]',
    about:
      'Deletes jobs of a table that ended long ago, the oldest first, a thousand at a time; archives are left alone.',
    options: [
      ['--older-than <time>', 'how long ago they ended: 7d'],
      ['--table <name>', 'the table, where it is not the first argument; it may be left out where there is one'],
      ['--state <state>', 'only those that are failed, timedOut, cancelled or succeeded; repeatable'],
      ['--yes', 'do it without asking'],
      ['--dry-run', 'only count'],
    ],
    samples: ['prune mail_jobs --older-than 7d', 'prune mail_jobs --older-than 1d --state succeeded --yes'],
  }),
  goesOn: true,
  options: {
    ...databaseOptions,
    table: { type: 'string' },
    'older-than': { type: 'string' },
    state: { type: 'string', multiple: true },
    yes: { type: 'boolean' },
    'dry-run': { type: 'boolean' },
  },
  run: async (values, terminal, [table]) => (await import('./bulk/prune.js')).prune(values, terminal, table),
})
