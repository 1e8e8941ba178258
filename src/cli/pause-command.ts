import { cliCommand } from './cli-command.js'
import { databaseOptions } from './shared-options.js'
import { usageText } from './usage-text.js'

/** `kysely-jobs pause` */
export const pauseCommand = cliCommand({
  usage: usageText({
    line: 'pause [table]',
    about:
      'Lets no worker begin jobs of a table, or of a key of it, until it is resumed; those that run end as ever. By the table\nthat createJobPauses of kysely-jobs/migrate makes.',
    options: [
      ['--table <name>', 'the table, where it is not the first argument; it may be left out where there is one'],
      ['--where <column=value>', 'only jobs with this value; repeatable: with all of them'],
      ['--reason <text>', 'why, for whoever looks'],
      ['--until <time>', 'when it ends by itself: 2h, 2026-12-24T18:00+01:00 (without a zone: UTC)'],
    ],
    samples: ["pause mail_jobs --reason 'the provider is down'", "pause mail_jobs --where 'tenant_id=7' --until 2h"],
  }),
  options: {
    ...databaseOptions,
    table: { type: 'string' },
    where: { type: 'string', multiple: true },
    reason: { type: 'string' },
    until: { type: 'string' },
  },
  run: async (values, terminal, [table]) => (await import('./steer/pause.js')).pause(values, terminal, table),
})
