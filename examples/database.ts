import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { startPostgres } from '../tools/postgres/start-postgres.ts'

/** A database for one run. */
export interface ExampleDatabase {
  readonly url: string
  /** Whether the server is ours too, and ends with the run. */
  readonly embedded: boolean
  close(): Promise<void>
}

/** A fresh database: on the server of DATABASE_URL, dropped at the end, or on an embedded one in a temporary folder. */
export async function openDatabase(name: string): Promise<ExampleDatabase> {
  const existing = process.env.DATABASE_URL
  if (existing) return createDatabase(existing, `${name}_${randomBytes(4).toString('hex')}`)
  const postgres = await startPostgres()
  return { url: postgres.url, embedded: true, close: postgres.stop }
}

async function createDatabase(server: string, name: string): Promise<ExampleDatabase> {
  await execute(server, `create database ${name} template template0`)
  const url = new URL(server)
  url.pathname = `/${name}`
  return {
    url: url.href,
    embedded: false,
    close: () => execute(server, `drop database if exists ${name} with (force)`),
  }
}

async function execute(server: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: server })
  await client.connect()
  try {
    await client.query(statement)
  } finally {
    await client.end()
  }
}
