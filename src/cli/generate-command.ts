import { cliCommand } from './cli-command.js'

const usage = `Usage: kysely-jobs generate [options]

Reads a Postgres database and writes the Kysely interface of all its tables and views.

Options:
  --out <file>        write to this file, if it changes (default: print)
  --url <url>         the database, as postgres://user:password@host:port/name
                      (default: $DATABASE_URL, or the url of kysely-jobs.config.ts)
  --config <file>     the file of settings (default: kysely-jobs.config.ts, .mts, .js or .mjs)
  --schema <pattern>  only tables of this schema; * stands for any characters; repeatable
  --table <pattern>   only tables of this name, or schema.name; * stands for any characters; repeatable
  --verify            write nothing; exit with 1 and show the difference if --out is out of date
  -h, --help          show this

Samples:
  kysely-jobs generate --out src/db.ts
  kysely-jobs generate --out src/db.ts --verify
`

/** `kysely-jobs generate` */
export const generateCommand = cliCommand({
  usage,
  failed: 1,
  most: 0,
  stray: 'generate takes options only: the database as --url <url>, the file as --out <file>',
  options: {
    out: { type: 'string' },
    url: { type: 'string' },
    config: { type: 'string' },
    schema: { type: 'string', multiple: true },
    table: { type: 'string', multiple: true },
    verify: { type: 'boolean' },
  },
  run: async ({ out, url, config, verify = false, schema: schemas = [], table: tables = [] }, terminal) => {
    const { generate } = await import('./generate.js')
    return generate({ out, url, config, verify, schemas, tables }, terminal)
  },
})
