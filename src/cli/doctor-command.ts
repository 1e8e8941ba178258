import { cliCommand } from './cli-command.js'

const usage = `Usage: kysely-jobs doctor [table ...] [options]

Examines every job table of a Postgres database, and its server: what is wrong, why it matters, and what mends it.
It changes nothing, and reads no large table as a whole.

Options:
  --url <url>      the database, as postgres://user:password@host:port/name
                   (default: $DATABASE_URL, or the url of kysely-jobs.config.ts)
  --config <file>  the file of settings (default: kysely-jobs.config.ts, .mts, .js or .mjs)
  --schema <name>  where tables are that are named without one
  --table <name>   only this table; repeatable (default: all job tables, or those of the settings)
  --listen <url>   where your workers listen: proves that what is notified is heard there
  --types <file>   a file of kysely-jobs generate: finds out whether it is up to date
  --json           print the findings as JSON
  --fix-sql        print one SQL script of all that SQL can mend
  -h, --help       show this

Exit code: 0 where there is advice at most, 1 where there are warnings or errors, 2 where nothing could be examined.

Samples:
  kysely-jobs doctor
  kysely-jobs doctor send_mail_jobs --listen "$DATABASE_URL"
  kysely-jobs doctor --fix-sql > mend.sql
`

/** `kysely-jobs doctor` */
export const doctorCommand = cliCommand({
  usage,
  broken: 2,
  most: Number.POSITIVE_INFINITY,
  stray: 'doctor takes tables: the database is given as --url <url>',
  options: {
    url: { type: 'string' },
    config: { type: 'string' },
    schema: { type: 'string' },
    table: { type: 'string', multiple: true },
    listen: { type: 'string' },
    types: { type: 'string' },
    json: { type: 'boolean' },
    'fix-sql': { type: 'boolean' },
  },
  run: async (values, terminal, tables) => (await import('./doctor.js')).doctor(values, terminal, tables),
})
