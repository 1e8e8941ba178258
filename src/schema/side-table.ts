import { sql } from 'kysely'
import { findTable, type Lookup, writtenName } from './identify.js'
import { quotedName, type TableName } from './names.js'
import { asJsonText, textsOf } from './text.js'

/** A table of ours that stands beside the job tables; a function of `kysely-jobs/migrate` makes it. */
export interface SideTable {
  readonly name: string
  /** What it is for, as its comment says. */
  readonly purpose: string
  /** A column that no other table has: it is known by it where its comment is lost. */
  readonly column: string
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
  column: 'skip_if_unfinished',
  version: 1,
  knownFrom: 1,
  madeBy: 'createJobSchedules',
}

/** The table of what is kept of limits: those of single keys, and how far rates are used. */
export const limitsTable: SideTable = {
  name: 'job_limits',
  purpose: 'Limits of keys, and how far rates are used, of kysely-jobs.',
  column: 'used_at',
  version: 1,
  knownFrom: 1,
  madeBy: 'createJobLimits',
}

/** The table of what is paused. */
export const pausesTable: SideTable = {
  name: 'job_pauses',
  purpose: 'Paused job tables, and keys of them, of kysely-jobs.',
  column: 'paused_key',
  version: 1,
  knownFrom: 1,
  madeBy: 'createJobPauses',
}

/** The table of the runners that work now. */
export const runnersTable: SideTable = {
  name: 'job_runners',
  purpose: 'Runners of kysely-jobs, a row for each process.',
  column: 'package_version',
  version: 1,
  knownFrom: 1,
  madeBy: 'createJobRunners',
}

/** The table of what was done, and how much waited, by minutes and hours. */
export const historyTable: SideTable = {
  name: 'job_history',
  purpose: 'What became of jobs, by minutes and hours, of kysely-jobs.',
  column: 'wait_counts',
  version: 1,
  knownFrom: 1,
  madeBy: 'createJobHistory',
}

/** A side table that is missing (`NO_SIDE_TABLE`), or not one that this package can work with (`SIDE_TABLE_UNFIT`). */
export class SideTableError extends Error {
  override readonly name = 'SideTableError'
  readonly code: 'NO_SIDE_TABLE' | 'SIDE_TABLE_UNFIT'

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
  /** Undefined: its comment does not say. */
  readonly version: number | undefined
  readonly knownFrom: number | undefined
  /** Whether it has the column of one. */
  readonly isOurs: boolean
  readonly mayRead: boolean
  readonly mayWrite: boolean
}

/** Looks for it as the user's plugins (schema, case) and the search_path say; undefined: it is not there. */
export async function findSideTable(db: Lookup, side: SideTable): Promise<FoundSideTable | undefined> {
  const table = await findTable(db, writtenName(db, side.name))
  if (table === undefined) return undefined
  const may = (privilege: string) => sql`pg_catalog.has_table_privilege(c.oid, ${privilege})`
  const hasColumn = sql`exists (
    select from pg_catalog.pg_attribute a where a.attrelid = c.oid and a.attname = ${side.column} and not a.attisdropped)`
  const comment = sql`pg_catalog.obj_description(c.oid, 'pg_class')`
  const writes = sql`${may('INSERT')} and ${may('UPDATE')} and ${may('DELETE')}`
  const asked = asJsonText([comment, hasColumn, may('SELECT'), writes])
  const query = sql`
    select ${asked} from pg_catalog.pg_class c where c.oid = pg_catalog.to_regclass(${quotedName(table)})`
  const [text] = await textsOf(db, query.compile(db.withoutPlugins()))
  const [said, ...can] = JSON.parse(text ?? '[null]') as [string | null, ...boolean[]] // just made
  const [isOurs = false, mayRead = false, mayWrite = false] = can
  const [, version, knownFrom] = versionPattern.exec(said ?? '') ?? []
  return { table, version: numberOf(version), knownFrom: numberOf(knownFrom), isOurs, mayRead, mayWrite }
}

const numberOf = (digits: string | undefined) => (digits === undefined ? undefined : Number(digits))

/**
 * A side table that serves, in the version that this package needs, or in a later one that serves it too.
 * @param use whether it is only read
 * @throws SideTableError with the migration that is missing, or the grant
 */
export async function sideTable(db: Lookup, side: SideTable, use: 'read' | 'write'): Promise<TableName> {
  const found = await findSideTable(db, side)
  if (found === undefined) {
    const text = `There is no table ${quotedName(writtenName(db, side.name))} in this database: let a migration call ${side.madeBy}(db) of kysely-jobs/migrate`
    throw new SideTableError('NO_SIDE_TABLE', text)
  }
  const flaw = sideFlaw(found, side, use)
  if (flaw !== undefined) throw new SideTableError('SIDE_TABLE_UNFIT', flaw)
  return found.table
}

/** Why a side table does not serve, and the remedy; undefined: it does. */
export function sideFlaw(found: FoundSideTable, side: SideTable, use: 'read' | 'write'): string | undefined {
  const { table, version, knownFrom = 0, isOurs, mayRead, mayWrite } = found
  const name = quotedName(table)
  const migration = `let a migration call ${side.madeBy}(db) of kysely-jobs/migrate`
  if (!isOurs) return `${name} is there, and no table that ${side.madeBy} made: rename it`
  if (version === undefined) return `${name} has lost its comment, which says of what version it is: ${migration}`
  if (version < side.version) {
    return `${name} is of version ${version}, and this package needs ${side.version}: ${migration}, which brings it up to date`
  }
  if (side.version < knownFrom) {
    return `${name} is of version ${version}, for packages that know version ${knownFrom}; this one knows ${side.version}: install a later kysely-jobs`
  }
  const rights = use === 'read' ? 'select' : 'select, insert, update, delete'
  if (!mayRead || (use === 'write' && !mayWrite)) {
    return `${name} may not be used by this role: grant ${rights} on ${name} to it`
  }
  return undefined
}

/** A side table to read from; undefined: it is not there, or does not serve. */
export async function readableSideTable(db: Lookup, side: SideTable): Promise<TableName | undefined> {
  const found = await findSideTable(db, side)
  return found === undefined || sideFlaw(found, side, 'read') !== undefined ? undefined : found.table
}
