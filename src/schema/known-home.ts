import type { DialectAdapter, QueryExecutor } from 'kysely'
import { readCatalog } from './catalog.js'
import { type Home, homeOf } from './engine.js'
import { findTable, type Lookup, writtenName } from './identify.js'
import { quotedName } from './names.js'

const known = new WeakMap<DialectAdapter, Map<string, Home>>()

/** The home of a table, for verbs that do not inspect it: it is asked for once in a program. Undefined: there is no such table. */
export async function knownHome(
  db: Lookup & { getExecutor(): QueryExecutor },
  table: string,
): Promise<Home | undefined> {
  const { adapter } = db.getExecutor()
  const homes = known.get(adapter) ?? new Map<string, Home>()
  known.set(adapter, homes)
  const written = quotedName(writtenName(db, table))
  const home = homes.get(written) ?? (await readHome(db, table)) // each by its own handle: a transaction waits for no other
  if (home !== undefined) homes.set(written, home)
  return home
}

async function readHome(db: Lookup, table: string): Promise<Home | undefined> {
  const name = await findTable(db, writtenName(db, table))
  const catalog = name && (await readCatalog(db.withoutPlugins(), name))
  return name && catalog && homeOf(db, name, catalog)
}
