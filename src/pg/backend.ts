import type { Client, ClientConfig, Pool, QueryArrayConfig, QueryArrayResult } from 'pg'

/** What a server says of one of its processes. */
export interface Backend {
  /** When it began, as a process id may come back; null for who may not know. */
  readonly since: string | null
  readonly state: string | null
  /** When the server started, to the microsecond: which tells two servers behind one address apart. */
  readonly server: string | null
}

/** What pg has of a client beyond its types. */
export interface PgClient {
  /** The backend's process, as the server, or a pooler, said at login. */
  readonly processID: number | null
  /** False while an answer has not come to its end. */
  readonly readyForQuery?: boolean
  readonly host: string
  readonly port: number
  readonly connection: {
    readonly stream: Stream
    connect(portOrPath: number | string, host: string): void
    requestSsl(): void
    on(event: 'connect' | 'error', listener: () => void): unknown
  }
}

/** A socket, or what somebody gave as the option `stream`, which may count nothing. */
export interface Stream {
  readonly bytesRead?: number
  readonly bytesWritten?: number
  destroy(): void
  once(event: 'data' | 'close', listener: () => void): unknown
}

export function asPgClient(client: object): PgClient {
  return client as PgClient // every client of pg has them
}

/** The settings of a pool's clients; a pool keeps its password out of sight of a spread. */
export function poolConfig({ options }: Pool): ClientConfig {
  const { password } = options
  return password === undefined ? { ...options } : { ...options, password }
}

const epoch = (time: string) => `extract(epoch from ${time})::text`
const text = `select pid::text, ${epoch('backend_start')}, state, ${epoch('pg_catalog.pg_postmaster_start_time()')}
  from pg_catalog.unnest(pg_catalog.array_prepend(pg_catalog.pg_backend_pid(), $1::int4[])) process
  cross join lateral pg_catalog.pg_stat_get_activity(process)`

/**
 * What a client's server says of its backends with these process ids, and of the one that answers: that is the client's
 * own `processID`, but behind a pooler, which gives its clients ids of its own.
 */
export async function backendsOf(client: Client, processes: readonly number[] = []): Promise<Map<number, Backend>> {
  const query: QueryArrayConfig & { query_timeout: number } = {
    text,
    values: [processes],
    rowMode: 'array',
    types: { getTypeParser: () => String }, // as text, whatever type parsers there are
    query_timeout: 2 ** 31 - 1, // the login's own limit ends it, not that of the user's queries
  }
  const { rows }: QueryArrayResult<(string | null)[]> = await client.query(query)
  return new Map(
    rows.map(([pid, since = null, state = null, server = null]) => [Number(pid), { since, state, server }]),
  )
}
