import { cliCommand } from './cli-command.js'
import { databaseOptions } from './shared-options.js'
import { usageText } from './usage-text.js'

/** `kysely-jobs enqueue` */
export const enqueueCommand = cliCommand({
  usage: usageText({
    line: 'enqueue <table>',
    about:
      'Inserts jobs, and prints their ids: one of --values, or one for each line of JSON on standard input, a thousand in a\ntransaction.',
    options: [
      ['--values <json>', 'the columns of the job: \'{"to": "ada@example.com"}\''],
      ['--delay <time>', 'when it is due from now: 5m (default: at once, or its run_at)'],
      ['--unique <columns>', 'not where a job stands that has the same values there: to,template'],
      ['--within <time>', 'with --unique: nor where one was enqueued so recently, also if it has ended'],
      ['--table <name>', 'the table, where it is not the first argument'],
    ],
    samples: [
      `enqueue mail_jobs --values '{"to": "ada@example.com"}'`,
      'enqueue mail_jobs --delay 5m < jobs.jsonl',
      'enqueue mail_jobs --unique to,template --within 1d < jobs.jsonl',
    ],
  }),
  goesOn: true,
  options: {
    ...databaseOptions,
    table: { type: 'string' },
    values: { type: 'string' },
    delay: { type: 'string' },
    unique: { type: 'string' },
    within: { type: 'string' },
  },
  run: async (values, terminal, [table]) => (await import('./steer/enqueue.js')).enqueueGiven(values, terminal, table),
})
