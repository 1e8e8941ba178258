import type { Catalog } from './catalog.js'
import { jobColumnNames } from './columns.js'
import { archiveName, quoted, quotedName, type TableName } from './names.js'

/** The table of finished jobs that `createJobArchive` makes for a job table. */
export interface JobArchive {
  readonly table: TableName
  /** The job table. */
  readonly of: TableName
  /** The columns of the job table, which a job takes with it, in their order. */
  readonly columns: readonly string[]
  /** Those with which it comes back: what is generated is generated anew, what the archive lacks takes its default. */
  readonly returned: readonly string[]
  /** What columns that are never null take, in SQL, where a job went there before they were: their defaults. */
  readonly defaults: ReadonlyMap<string, string>
  /** Whether the role that asks may have partitions made and dropped. */
  readonly mayKeep: boolean
  /** Why no job can be moved there, and the remedy; undefined: jobs can. */
  readonly flaw: string | undefined
}

/** The archive of a job table, as the catalog has both; undefined: it has none. */
export function archiveOf({ archive, columns }: Catalog, of: TableName): JobArchive | undefined {
  if (archive === null) return undefined
  const table = { schema: of.schema, name: archiveName(of) }
  const held = new Map(archive.columns.map(({ name, type }) => [name, type]))
  const names = columns.map(({ name }) => name)
  const filled = new Set(columns.filter(({ notNull }) => notNull).map(({ name }) => name))
  const lacking = names.filter((name) => !held.has(name))
  const strict = archive.columns.filter(({ name, notNull }) => notNull && !filled.has(name)).map(({ name }) => name)
  const retyped = columns.filter(({ name, type }) => held.has(name) && held.get(name) !== type)
  const mend = 'createJobArchive, in a migration, mends that'
  const flaws = [
    lacking.length > 0 && `lacks ${lacking.map(quoted).join(', ')}: ${mend}`,
    strict.length > 0 && `has ${strict.map(quoted).join(', ')} as NOT NULL, the job table has not: ${mend}`,
    ...retyped.map(({ name, type }) => {
      return `has ${quoted(name)} as ${held.get(name)}, the job table as ${type}: give it that type, in a migration`
    }),
    !archive.mayWrite &&
      'may not be written by this role: grant it INSERT and SELECT (with row-level security by policies too)',
  ].filter((flaw) => flaw !== false)
  return {
    table,
    of,
    columns: names,
    returned: columns.filter(({ name, generated }) => !generated && held.has(name)).map(({ name }) => name),
    defaults: new Map(
      columns.flatMap(({ name, notNull, default: value }) => (notNull && value ? [[name, value]] : [])),
    ),
    mayKeep: archive.mayKeep,
    flaw: flaws.length === 0 ? undefined : `${quotedName(table)} ${flaws.join('; it ')}`,
  }
}

/**
 * The same for who looks: undefined too where the role that asks may not read it, so that it sees the job table at least.
 * @param what the queue's columns are enough to count
 */
export function readableArchiveOf(catalog: Catalog, of: TableName, what: 'queue' | 'all'): JobArchive | undefined {
  const unread = catalog.archive?.unread ?? []
  const queue: readonly string[] = jobColumnNames
  const isReadable = what === 'all' ? unread.length === 0 : !unread.some((name) => queue.includes(name))
  return isReadable ? archiveOf(catalog, of) : undefined
}
