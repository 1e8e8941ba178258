import { existsSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { serverAccount } from '../../tools/postgres/account.ts'
import { freePort, scratchFolder } from '../../tools/postgres/cluster.ts'
import { startServer } from './started-server.js'

/** A pooler, by default in transaction mode: a client has a session of the server for one transaction, and then another. */
export interface PgBouncer {
  readonly url: string
  stop(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

const program = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin']
  .map((folder) => join(folder, 'pgbouncer'))
  .find(existsSync)

/** Why tests of it can not run on this machine; undefined where they can. */
export const withoutPgBouncer =
  program === undefined ? 'skipped: this machine has no PgBouncer (Debian: apt-get install pgbouncer)' : undefined

/** Starts one on a free port of 127.0.0.1 in front of a server; `sessions` is how many of the server's its clients share. */
export async function startPgBouncer(
  serverUrl: string,
  sessions: number,
  mode: 'transaction' | 'statement' = 'transaction',
): Promise<PgBouncer> {
  if (program === undefined) throw new Error(withoutPgBouncer)
  const account = serverAccount() // it refuses to run as root
  const scratch = scratchFolder(account)
  const url = new URL(serverUrl)
  url.hostname = '127.0.0.1'
  url.port = String(await freePort())
  const file = join(scratch, 'pgbouncer.ini')
  writeFileSync(file, configuration(new URL(serverUrl), url.port, sessions, mode))
  const stop = await startServer({ program, argv: [file], account, scratch, ready: 'process up' })
  return { url: url.href, stop, [Symbol.asyncDispose]: stop }
}

function configuration(server: URL, port: string, sessions: number, mode: string): string {
  const password = server.password && ` password='${decodeURIComponent(server.password).replaceAll("'", "''")}'`
  return `[databases]
* = host=${server.hostname} port=${server.port || 5432} user=${decodeURIComponent(server.username)}${password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = ${mode}
default_pool_size = ${sessions}
max_client_conn = 200
`
}
