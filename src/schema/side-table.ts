import { sql } from 'kysely'
import { findTable, type Lookup, writtenName } from './identify.js'
import { quotedName, type TableName } from './names.js'

/** A table of ours that stands beside the job tables; a function of `kysely-jobs/migrate` makes it. */
export interface SideTable {
  readonly name: string
  /** What it is for, as its comment says. */
  readonly purpose: string
  /** The version that this package makes and needs: it knows all that are older. */
  readonly version: number
  /** The oldest version that a package must know to work with it: columns are added, and no package of before misses any. */
  readonly knownFrom: number
  /** The function of `kysely-jobs/migrate`. */
  readonly madeBy: string
}

/** The table of recurring jobs. */
export const schedulesTable: SideTable = {
  name: 'job_schedules',
  purpose: 'Recurring jobs of kysely-jobs.',
  version: 1,
  knownFrom: 1,
  madeBy: 'createJobSchedules',
}

/** A side table that is missing (`NO_SIDE_TABLE`), or not of a version that this package can work with (`SIDE_TABLE_VERSION`). */
export class SideTableError extends Error {
  override readonly name = 'SideTableError'
  readonly code: 'NO_SIDE_TABLE' | 'SIDE_TABLE_VERSION'

  constructor(code: SideTableError['code'], message: string) {
    super(message)
    this.code = code
  }
}

/** The comment of such a table, by which its version is known. */
export const sideComment = ({ purpose, version, knownFrom }: SideTable): string =>
  `${purpose} Version ${version}, for packages that know version ${knownFrom} or a later one.`

const versionPattern = /Version (\d+), for packages that know version (\d+) or a later one\.$/

/** A side table as the database has it. */
export interface FoundSideTable {
  readonly table: TableName
  /** Undefined: it has not the comment of one. */
  readonly version: number | undefined
  readonly knownFrom: number | undefined
  /** Whether the role that asks may read and write it. */
  readonly mayUse: boolean
}

/** Looks for it as the user's plugins (schema, case) and the search_path say; undefined: it is not there. */
export async function findSideTable(db: Lookup, { name }: SideTable): Promise<FoundSideTable | undefined> {
  const table = await findTable(db, writtenName(db, name))
  if (table === undefined) return undefined
  const { rows } = await sql<{ comment: string | null; privileges: string }>`
    select pg_catalog.obj_description(c.oid, 'pg_class') as comment, pg_catalog.concat(
      pg_catalog.has_table_privilege(c.oid, 'SELECT'), pg_catalog.has_table_privilege(c.oid, 'INSERT'),
      pg_catalog.has_table_privilege(c.oid, 'UPDATE'), pg_catalog.has_table_privilege(c.oid, 'DELETE')) as privileges
    from pg_catalog.pg_class c where c.oid = pg_catalog.to_regclass(${quotedName(table)})`.execute(db.withoutPlugins())
  const [, version, knownFrom] = versionPattern.exec(rows[0]?.comment ?? '') ?? []
  return {
    table,
    version: version === undefined ? undefined : Number(version),
    knownFrom: knownFrom === undefined ? undefined : Number(knownFrom),
    mayUse: rows[0]?.privileges === 'tttt',
  }
}

/**
 * A side table that serves, in the version that this package needs, or in a later one that serves it too.
 * @throws SideTableError with the migration that is missing
 */
export async function sideTable(db: Lookup, side: SideTable): Promise<TableName> {
  const found = await findSideTable(db, side)
  const migration = `let a migration call ${side.madeBy}(db) of kysely-jobs/migrate`
  if (found === undefined) {
    const text = `There is no table ${quotedName(writtenName(db, side.name))} in this database: ${migration}`
    throw new SideTableError('NO_SIDE_TABLE', text)
  }
  const flaw = sideFlaw(found, side)
  if (flaw !== undefined) throw new SideTableError('SIDE_TABLE_VERSION', flaw)
  return found.table
}

/** Why a side table does not serve, and the remedy; undefined: it does. */
export function sideFlaw({ table, version, knownFrom = 0, mayUse }: FoundSideTable, side: SideTable) {
  const name = quotedName(table)
  if (version === undefined) return `${name} is there, and no table that ${side.madeBy} made: rename it`
  if (version < side.version) {
    return `${name} is of version ${version}, and this package needs ${side.version}: let a migration call ${side.madeBy}(db) of kysely-jobs/migrate, which brings it up to date`
  }
  if (side.version < knownFrom) {
    return `${name} is of version ${version}, for packages that know version ${knownFrom}; this one knows ${side.version}: install a later kysely-jobs`
  }
  if (!mayUse) return `${name} may not be used by this role: grant select, insert, update, delete on ${name} to it`
  return undefined
}
