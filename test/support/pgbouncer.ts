import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { createInterface } from 'node:readline'
import { serverAccount } from '../../tools/postgres/account.ts'
import { freePort, scratchFolder } from '../../tools/postgres/cluster.ts'

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
  const child = spawn(program, [file], { ...account, cwd: scratch, stdio: ['ignore', 'ignore', 'pipe'] })
  const end = () => void child.kill('SIGKILL')
  process.once('exit', end)
  const exited = once(child, 'exit')
  const stop = async () => {
    process.off('exit', end)
    end()
    await exited
    rmSync(scratch, { recursive: true, force: true })
  }
  const log: string[] = []
  for await (const line of createInterface({ input: child.stderr })) {
    log.push(line)
    if (line.includes('process up')) break
  }
  if (log.at(-1)?.includes('process up')) {
    child.stderr.resume() // a full pipe would hold it up
    return { url: url.href, stop, [Symbol.asyncDispose]: stop }
  }
  await stop()
  throw new Error(`PgBouncer did not start: ${log.join('\n')}`)
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
