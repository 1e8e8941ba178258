import { Kysely, PostgresDialect, sql } from 'kysely'
import pg from 'pg'
import { type Conformance, type ConformOptions, conform } from '../../src/conformance/conform.js'
import { promises } from '../../src/conformance/promises/all.js'
import { guardPool } from '../../src/pg/guard-pool.js'

interface SuiteOptions extends Partial<Omit<ConformOptions, 'pool'>> {
  /** Only these promises. Default: all. */
  readonly only?: readonly string[]
  /** What becomes of each statement of the product: a fault in it. */
  readonly rewrite?: (statement: string) => string
}

/** Runs the suite as the command does. */
export function runSuite(
  url: string,
  { only, rewrite = (text) => text, ...options }: SuiteOptions = {},
): Promise<Conformance> {
  const chosen = promises.filter(({ name }) => only?.includes(name) ?? true)
  const Client = faultyClient(rewrite)
  const pool = (max: number, application_name: string) => {
    const made = guardPool(new pg.Pool({ connectionString: url, max, application_name, Client }), {
      connect: '10s',
      query: '30s',
    })
    made.on('connect', (client) => client.on('error', () => {})) // cut by the server's end, in tests of that
    return made
  }
  return conform({ pool, listen: url, promises: chosen, ...options })
}

function faultyClient(rewrite: (statement: string) => string): typeof pg.Client {
  return class extends pg.Client {
    override query(...[first, ...rest]: any[]): any {
      return super.query(typeof first === 'string' ? rewrite(first) : first, ...rest)
    }
  }
}

/** What became of each promise, by its name. */
export const verdicts = ({ judged }: Conformance): Record<string, string> =>
  Object.fromEntries(judged.map(({ name, verdict }) => [name, verdict]))

/** The names of all promises, each with what becomes of it where all hold. */
export const allHold = Object.fromEntries(promises.map(({ name }) => [name, 'holds']))

/** All that somebody could have left in a database. */
export async function everything(url: string): Promise<unknown> {
  const db = new Kysely<any>({ dialect: new PostgresDialect({ pool: new pg.Pool({ connectionString: url, max: 1 }) }) })
  try {
    const { rows } = await sql`
      select 'schema' as kind, nspname as name from pg_namespace where nspname !~ '^pg_(toast_)?temp_'
      union all select 'type', typname from pg_type where typnamespace not in ('pg_toast'::regnamespace)
      union all select 'function', proname from pg_proc
      union all select 'table', relname from pg_class where relnamespace <> 'pg_toast'::regnamespace
      union all select 'lock', locktype from pg_locks join pg_database d on d.oid = database
        where locktype = 'advisory' and datname = current_database()
      order by 1, 2`.execute(db)
    return rows
  } finally {
    await db.destroy()
  }
}
