import { type QueryExecutorProvider, sql } from 'kysely'
import { codeOf } from './error-code.js'

/** The catalog of this server can't be read as that of PostgreSQL. */
export class CatalogError extends Error {
  override readonly name = 'CatalogError'
  readonly code = 'CATALOG_UNREADABLE'
}

/** What is said of a function, a table or a clause that there is not, or that this role may not use. */
const unreadable = /^(?:0A|42)/

/** Reads of the catalog. @throws CatalogError where the server lacks what it is read by; whatever else it says */
export async function readingCatalog<Facts>(db: QueryExecutorProvider, read: () => Promise<Facts>): Promise<Facts> {
  try {
    return await read()
  } catch (error) {
    if (!(error instanceof Error) || !unreadable.test(codeOf(error))) throw error
    throw await unreadableError(db, error)
  }
}

async function unreadableError(db: QueryExecutorProvider, cause: Error): Promise<CatalogError> {
  // In a transaction that has just failed it does not answer.
  const asked = await sql<{ version: unknown }>`select version() as version`.execute(db).catch(() => undefined)
  const version = asked?.rows[0]?.version
  const calls = typeof version === 'string' ? `, and calls itself '${version}'` : ''
  return new CatalogError(
    `The server does not answer as PostgreSQL about its catalog (${cause.message})${calls}, so nobody can say whether the table holds jobs. If a pooler or a proxy answers in its place, connect to the server itself; if it is another engine, docs/engines.md says which ones serve`,
    { cause },
  )
}
