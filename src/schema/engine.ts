import { sql } from 'kysely'
import type { Catalog } from './catalog.js'
import type { Engine, EngineOptions } from './engines/engine.js'
import { engineOf } from './engines/recognize.js'
import type { Lookup } from './identify.js'
import { quotedName, type TableName } from './names.js'
import { textsOf } from './text.js'

/** Where the rows of a table are. `one node`: each statement about it goes to one server, which is not the one that is asked. */
export type Placement =
  | { readonly kind: 'local' }
  | { readonly kind: 'one node' }
  | { readonly kind: 'every node' }
  /** By the values of a column: all rows of a value are on one node. */
  | { readonly kind: 'distributed'; readonly by: string }

/** A server, and where it has a table. */
export interface Home {
  readonly engine: Engine
  readonly placement: Placement
}

/** Whether statements about the table go to other servers than the one that is asked. */
export const isElsewhere = (home: Home | undefined): boolean => home !== undefined && home.placement.kind !== 'local'

/** Whether the server that is asked may have other tables elsewhere, which no statement about this one may ask beside it. */
export const hasOthersElsewhere = (home: Home | undefined): boolean =>
  home?.engine.name === 'Citus' || isElsewhere(home)

/** A distributed table has no triggers, and its updates no volatile functions. */
const distributed: Partial<Engine> = {
  triggers: 'none',
  transitionTables: false,
  volatileInUpdate: false,
  statistics: false,
}

/** What the server is, and where it has a table. @param given what the user says is otherwise */
export async function homeOf(
  db: Lookup,
  table: TableName,
  { server }: Pick<Catalog, 'server'>,
  given?: EngineOptions,
): Promise<Home> {
  const { citus } = server.extensions ?? {}
  if (citus === undefined) return { engine: engineOf(server, given), placement: { kind: 'local' } }
  const placement = await readPlacement(db, table)
  const lacks = placement.kind === 'local' ? {} : distributed
  return { engine: engineOf(server, given, { ...lacks, name: 'Citus', version: citus }), placement }
}

/** As the catalog of Citus has it (11 and later): a table that is spread by nothing is on one node or, as a reference table, on every one. */
async function readPlacement(db: Lookup, table: TableName): Promise<Placement> {
  const asked = sql`
    select pg_catalog.json_build_array(
      p.partmethod, p.repmodel, p.colocationid, column_to_column_name(p.logicalrelid, p.partkey),
      (select pg_catalog.count(*) from pg_dist_shard s where s.logicalrelid = p.logicalrelid))::text as asked
    from pg_dist_partition p where p.logicalrelid = pg_catalog.to_regclass(${quotedName(table)})`
  const [text] = await textsOf(db, asked.compile(db.withoutPlugins()))
  if (text === undefined || text === null) return { kind: 'local' }
  const [method, model, colocation, by, shards] = JSON.parse(text) as [string, string, number, string | null, number] // just made
  if (method !== 'n' && by !== null) return shards === 1 ? { kind: 'one node' } : { kind: 'distributed', by }
  if (model === 't') return { kind: 'every node' }
  return colocation === 0 ? { kind: 'local' } : { kind: 'one node' }
}

/**
 * Whether one statement may read another table beside a job table: on Citus both are local, or the other one has a copy on each node, or the rows
 * that belong together are on the same one.
 */
export async function isBeside(db: Lookup, table: TableName, home: Home, other: TableName): Promise<boolean> {
  if (!hasOthersElsewhere(home)) return true
  const idOf = (name: TableName) => sql`pg_catalog.to_regclass(${quotedName(name)})`
  const isTogether = sql`p.colocationid = (select o.colocationid from pg_dist_partition o where o.logicalrelid = ${idOf(table)})`
  const asked = sql`
    select (${isTogether} or (p.partmethod = 'n' and p.repmodel = 't'))::text from pg_dist_partition p where p.logicalrelid = ${idOf(other)}`
  const [answer] = await textsOf(db, asked.compile(db.withoutPlugins()))
  return isElsewhere(home) ? answer === 'true' : answer === undefined
}
