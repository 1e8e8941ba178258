import { cliCommand } from './cli-command.js'
import { databaseOptions } from './shared-options.js'
import { usageText } from './usage-text.js'

/** `kysely-jobs resume` */
export const resumeCommand = cliCommand({
  usage: usageText({
    line: 'resume [table]',
    about: 'Ends the pause of a table, or of a key of it; where there was none, the exit code is 1.',
    options: [
      ['--table <name>', 'the table, where it is not the first argument; it may be left out where there is one'],
      ['--where <column=value>', 'the key that was paused; repeatable'],
    ],
    samples: ['resume mail_jobs', "resume mail_jobs --where 'tenant_id=7'"],
  }),
  options: { ...databaseOptions, table: { type: 'string' }, where: { type: 'string', multiple: true } },
  run: async (values, terminal, [table]) => (await import('./steer/pause.js')).resume(values, terminal, table),
})
