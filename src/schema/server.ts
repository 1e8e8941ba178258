import { type QueryExecutorProvider, sql } from 'kysely'
import { readingCatalog } from './catalog-error.js'
import { profileMarks, profileSettings } from './engines/profiles.js'

/** What the server says of itself. */
export interface CatalogServer {
  /** A sentence: `PostgreSQL 18.4 on x86_64 ...`. */
  readonly version: string
  /** As `server_version` has it: `18.4`. */
  readonly number: string
  /** The version of each of its extensions that makes it another engine. */
  readonly extensions: Readonly<Record<string, string>> | null
  /** What it has of the roles and tables by which engines are known. */
  readonly marks: readonly string[]
  /** The settings that switch on what an engine can do; null: it has no such setting. */
  readonly settings: Readonly<Record<string, string | null>>
}

const isTable = (mark: string): boolean => mark.includes('.')

/** Not by `to_regclass`, which fails where a schema of the user's may not be used. */
const marks = sql`array(
  select r.rolname::text from pg_catalog.pg_roles r where r.rolname in (${sql.join(profileMarks.filter((mark) => !isTable(mark)))})
  union all
  select n.nspname || '.' || k.relname from pg_catalog.pg_class k join pg_catalog.pg_namespace n on n.oid = k.relnamespace
  where n.nspname || '.' || k.relname in (${sql.join(profileMarks.filter(isTable))}))`

const settings = sql`pg_catalog.json_build_object(${sql.join(
  profileSettings.flatMap((name) => [sql.lit(name), sql`pg_catalog.current_setting(${sql.lit(name)}, true)`]),
)})`

export const server = sql`pg_catalog.json_build_object(
  'version', pg_catalog.version(),
  'number', pg_catalog.current_setting('server_version'),
  'extensions', (
    select pg_catalog.json_object_agg(e.extname, e.extversion) from pg_catalog.pg_extension e where e.extname in ('citus')),
  'marks', ${marks}, 'settings', ${settings})`

/** Reads it where there is no table yet. @throws CatalogError */
export async function readServer(db: QueryExecutorProvider): Promise<CatalogServer> {
  const { rows } = await readingCatalog(db, () =>
    sql<{ server: string }>`select pg_catalog.textout(${server}::text) as server`.execute(db),
  )
  return JSON.parse(rows[0]?.server ?? 'null') as CatalogServer // the query above makes the shape
}
