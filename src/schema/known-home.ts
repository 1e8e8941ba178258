import type { DialectAdapter, QueryExecutor } from 'kysely'
import { type Home, hasNodes, homeOf } from './engine.js'
import { engineOf } from './engines/recognize.js'
import { findTable, type Lookup, writtenName } from './identify.js'
import { quotedName } from './names.js'
import { type CatalogServer, readServer } from './server.js'

/** What a program knows of a database. */
interface Known {
  readonly server: CatalogServer
  readonly homes: Map<string, Home>
}

const known = new WeakMap<DialectAdapter, Known>()

/**
 * The home of a table, for verbs that do not inspect it: it is asked for once in a program, and of a server that has no other nodes only what it
 * is. Undefined: there is no such table.
 * @param asked anew where a statement was refused, as the table may have been distributed since
 */
export async function knownHome(
  db: Lookup & { getExecutor(): QueryExecutor },
  table: string,
  asked: 'once' | 'anew' = 'once',
): Promise<Home | undefined> {
  const { adapter } = db.getExecutor()
  const { server, homes } = known.get(adapter) ?? {
    server: await readServer(db.withoutPlugins()), // each by its own handle: a transaction waits for no other
    homes: new Map<string, Home>(),
  }
  known.set(adapter, { server, homes })
  if (!hasNodes(server)) return { engine: engineOf(server), placement: { kind: 'local' } }
  const written = writtenName(db, table)
  const home = (asked === 'once' ? homes.get(quotedName(written)) : undefined) ?? (await readHome(db, table, server))
  if (home !== undefined) homes.set(quotedName(written), home)
  return home
}

async function readHome(db: Lookup, table: string, server: CatalogServer): Promise<Home | undefined> {
  const name = await findTable(db, writtenName(db, table))
  return name && homeOf(db, name, { server })
}
