import pg from 'pg'

/** For a queue that brings no bounds of its own: what a careful user may set in node-postgres. */
export const queryTimeout = { query_timeout: 5_000, connectionTimeoutMillis: 5_000 }

export function boundedPool(url: string, max: number): pg.Pool {
  const pool = new pg.Pool({ connectionString: url, max, ...queryTimeout })
  return pool.on('error', () => {}).on('connect', (client) => client.on('error', () => {}))
}
