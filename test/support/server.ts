import type { TestProject } from 'vitest/node'
import { startPostgres } from '../../tools/postgres/start-postgres.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** A server on which tests may create databases. */
    serverUrl: string
  }
}

/** One server for the whole run: the one named by the environment, or an embedded one of our own. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const existing = process.env.TEST_DATABASE_URL || process.env.DATABASE_URL
  if (existing) {
    project.provide('serverUrl', existing)
    return async () => {}
  }
  const postgres = await startPostgres({ fsync: false, settings: { max_connections: '200' } })
  project.provide('serverUrl', postgres.url)
  return postgres.stop
}
