import pg from 'pg'
import { asPgClient } from '../pg/backend.js'

/** Whether a pooler is between us and the server: it gives its clients ids of its own. */
export async function isPooled(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 10_000, query_timeout: 10_000 })
  client.on('error', () => {}) // whoever asks is told
  try {
    await client.connect()
    const { rows } = await client.query<{ pid: number }>('select pg_catalog.pg_backend_pid() as pid')
    return rows[0]?.pid !== asPgClient(client).processID
  } finally {
    await client.end()
  }
}
