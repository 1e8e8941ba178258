import type { Client, QueryArrayConfig, QueryArrayResult } from 'pg'

/** The server's process that answers a connection, as the server tells it. */
export interface Backend {
  readonly pid: string
  /** When it began; a process id may come back. */
  readonly since: string
  /** When its server started, to the microsecond: which tells two servers behind one address apart. */
  readonly server: string
}

/** What pg has of a client beyond its types. */
export interface PgClient {
  /** The backend's process, as the server, or a pooler, said at login. */
  readonly processID: number | null
  /** False while an answer has not come to its end. */
  readonly readyForQuery?: boolean
  readonly connection: {
    readonly stream: Stream
    connect(portOrPath: number | string, host: string): void
    requestSsl(): void
    once(event: 'connect', listener: () => void): unknown
    on(event: 'error', listener: () => void): unknown
  }
  readonly host: string
  readonly port: number
}

/** A socket, or what somebody gave as the option `stream`, which may count nothing. */
export interface Stream {
  readonly bytesRead?: number
  readonly bytesWritten?: number
  destroy(): void
  once(event: 'data' | 'close', listener: () => void): unknown
}

/** What pg keeps out of its types. */
export function asPgClient(client: object): PgClient {
  return client as PgClient // every client of pg has them
}

/** The longest that setTimeout can count. */
const query_timeout = 2 ** 31 - 1

const epoch = (time: string) => `extract(epoch from ${time})::text`
const columns = `pid::text, ${epoch('backend_start')}, ${epoch('pg_catalog.pg_postmaster_start_time()')}`
const ownBackend = `select ${columns} from pg_catalog.pg_stat_get_activity(pg_catalog.pg_backend_pid())`
const someBackends = `select pid::text, ${epoch('backend_start')}, state from pg_catalog.pg_stat_activity where pid = any($1)`

/**
 * Asks who answers a connection. Undefined where the server does not tell, or is not the one that the connection logged
 * in to: a pooler gives its clients process ids of its own.
 */
export async function backendOf(client: Client): Promise<Backend | undefined> {
  const [[pid, since, server] = []] = await rowsOf(client, ownBackend)
  if (!pid || !since || !server || Number(pid) !== asPgClient(client).processID) return undefined
  return { pid, since, server }
}

/** What pg_stat_activity has of a process. */
export interface Activity {
  readonly since: string | null
  readonly state: string
}

/** What some backends of a client's server do, by their process ids. */
export async function activities(client: Client, pids: readonly string[]): Promise<Map<string, Activity>> {
  const rows = await rowsOf(client, someBackends, [pids])
  return new Map(rows.map(([pid, since = null, state]) => [String(pid), { since, state: state ?? '' }]))
}

/** As text, whatever type parsers there are. The login's own limit ends it, not that of the user's queries. */
async function rowsOf(client: Client, text: string, values: unknown[] = []): Promise<(string | null)[][]> {
  const types = { getTypeParser: () => String }
  const query: QueryArrayConfig & { query_timeout: number } = { text, values, rowMode: 'array', types, query_timeout }
  const { rows }: QueryArrayResult<(string | null)[]> = await client.query(query)
  return rows
}
