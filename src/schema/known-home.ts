import { type DialectAdapter, type QueryExecutor, sql } from 'kysely'
import { type Home, homeOf } from './engine.js'
import { findTable, type Lookup, writtenName } from './identify.js'
import { quotedName } from './names.js'
import { readServer } from './server.js'

/** The homes that a program knows of a database; undefined: all that it has is on the server that is asked. */
const known = new WeakMap<DialectAdapter, Map<string, Home> | undefined>()

/**
 * The home of a table, for verbs that do not inspect it: it is asked for once in a program. Undefined: there is no such table, or it is on the
 * server that is asked, as all are where that has no other nodes.
 * @param asked anew where a statement was refused, as the table may have been distributed since
 */
export async function knownHome(
  db: Lookup & { getExecutor(): QueryExecutor },
  table: string,
  asked: 'once' | 'anew' = 'once',
): Promise<Home | undefined> {
  const { adapter } = db.getExecutor()
  // Each by its own handle: a transaction waits for no other.
  if (!known.has(adapter)) known.set(adapter, (await hasNodes(db)) ? new Map() : undefined)
  const homes = known.get(adapter)
  if (homes === undefined) return undefined
  const written = quotedName(writtenName(db, table))
  const home = (asked === 'once' ? homes.get(written) : undefined) ?? (await readHome(db, table))
  if (home !== undefined) homes.set(written, home)
  return home
}

/** By a question that any server answers which speaks as Postgres does. */
async function hasNodes(db: Lookup): Promise<boolean> {
  const { rows } = await sql`select 1 as found from pg_catalog.pg_extension where extname = 'citus'`.execute(
    db.withoutPlugins(),
  )
  return rows.length > 0
}

async function readHome(db: Lookup, table: string): Promise<Home | undefined> {
  const name = await findTable(db, writtenName(db, table))
  return name && homeOf(db, name, { server: await readServer(db.withoutPlugins()) })
}
