import { cliCommand } from './cli-command.js'

const usage = `Usage: kysely-jobs conformance [options]

Tries on your server what this package promises: claims, leases, outcomes, wake-up, limits, plans. It works in a schema of its
own, by real workers over several connections, and leaves nothing behind.

Options:
  --only <name>    only this promise, as the table calls it; repeatable
  --distributed-by <column>
                   on Citus: distributes the job table by tenant_id, of which it has a few values, or by bucket, which is made
  --listen <url>   where workers listen, where --url is a pooler in transaction mode (default: that of --url)
  --json           print what is found as JSON
  --url <url>      the database, as postgres://user:password@host:port/name; its role has to be allowed to create schemas
                   (default: $DATABASE_URL, or the url of kysely-jobs.config.ts)
  --config <file>  the file of settings (default: kysely-jobs.config.ts, .mts, .js or .mjs)
  -h, --help       show this

Exit code: 0 where nothing is broken, 1 where a promise is, or it was stopped, 2 where it could not begin.

Samples:
  kysely-jobs conformance --url postgres://me@localhost/scratch
  kysely-jobs conformance --only wake --only plans --json
`

/** `kysely-jobs conformance` */
export const conformanceCommand = cliCommand({
  usage,
  goesOn: true,
  broken: 2,
  most: 0,
  stray: 'conformance takes no arguments: the database is given as --url <url>, a promise as --only <name>',
  options: {
    url: { type: 'string' },
    config: { type: 'string' },
    only: { type: 'string', multiple: true },
    listen: { type: 'string' },
    'distributed-by': { type: 'string' },
    json: { type: 'boolean' },
  },
  run: async (values, terminal) => (await import('./conformance.js')).conformance(values, terminal),
})
