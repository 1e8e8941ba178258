import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type Account, serverAccount } from './account.ts'
import { give, preparePostgres, type Release } from './binaries.ts'

export interface ClusterOptions {
  /** Server settings, as in postgresql.conf. */
  readonly settings?: Record<string, string>
  /** A folder that keeps the data; default: a temporary one, removed at the end. */
  readonly dataDirectory?: string
  /** Default: the newest. */
  readonly release?: Release
  /** Whether commits reach the disk; default true, as in production. */
  readonly fsync?: boolean
}

export interface Cluster {
  readonly port: number
  /** Takes the server down, as an operator or an accident does. */
  halt(way: Halt): Promise<void>
  /** Brings it back: same data, same port. */
  resume(): Promise<void>
  stop(): Promise<void>
}

/** `fast` ends sessions in order, `immediate` without a checkpoint, `kill` is SIGKILL of the postmaster. */
export type Halt = 'fast' | 'immediate' | 'kill'

const run = promisify(execFile)

/** Makes and starts a server on a free port of 127.0.0.1. */
export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const account = serverAccount()
  const scratch = scratchFolder(account)
  const remove = () => rmSync(scratch, { recursive: true, force: true, maxRetries: 5 })
  try {
    const bin = join(preparePostgres(scratch, account, options.release), 'bin')
    const data = options.dataDirectory ?? join(scratch, 'data')
    const log = join(scratch, 'server.log')
    const call = (program: string, ...args: string[]) =>
      run(join(bin, program), args, { cwd: scratch, env: environment(), windowsHide: true, ...account })
    if (!existsSync(join(data, 'PG_VERSION'))) {
      mkdirSync(data, { recursive: true, mode: 0o700 })
      if (account !== undefined) give(data, account)
      const locale = options.release === undefined ? builtinLocale : ['--locale=C']
      await call('initdb', '-D', data, ...initdbArguments, ...locale)
    }
    const start = () => call('pg_ctl', 'start', '-w', '-t', '60', '-D', data, '-l', log)
    const port = await startOnFreePort(data, options, start, log)
    const power = powerOf(data, call, start)
    const stop = async () => {
      await power.off()
      remove()
    }
    return { port, halt: power.halt, resume: power.resume, stop }
  } catch (error) {
    remove()
    throw error
  }
}

/** The server's switch: how it is taken down, brought back and, at the end, ended. */
function powerOf(data: string, call: (program: string, ...args: string[]) => Promise<unknown>, start: () => unknown) {
  let on = true
  const shut = (mode: string, seconds: number) => call('pg_ctl', 'stop', '-D', data, '-m', mode, '-t', String(seconds))
  return {
    async halt(way: Halt) {
      if (way === 'kill')
        process.kill(Number(readFileSync(join(data, 'postmaster.pid'), 'utf8').split('\n')[0]), 'SIGKILL')
      else await shut(way, 30)
      on = false
    },
    async resume() {
      // What a killed postmaster left must end first: until then the new one finds its shared memory in use.
      for (let tries = 1; !on; tries++) {
        try {
          await start()
          on = true
        } catch (error) {
          if (tries === 100) throw error
          await new Promise((resolve) => setTimeout(resolve, 100))
        }
      }
    },
    async off() {
      // Smart first: clients that are just leaving see no 57P01. Then fast, which asks nobody.
      if (on) await shut('smart', 1).catch(() => shut('fast', 30))
    },
  }
}

const initdbArguments = ['-U', 'postgres', '-A', 'trust', '--encoding=UTF8', '--no-sync']

/** Postgres has it since 17. */
const builtinLocale = ['--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8']

/** Another program may take the port between our look and the server's start: then the next one. */
async function startOnFreePort(data: string, options: ClusterOptions, start: () => Promise<unknown>, log: string) {
  for (let attempt = 1; ; attempt++) {
    const port = await freePort()
    writeFileSync(join(data, 'postgresql.auto.conf'), configuration(port, options))
    try {
      await start()
      return port
    } catch {
      const reason = existsSync(log) ? readFileSync(log, 'utf8') : 'it left no log'
      if (attempt === 5 || !reason.includes('could not bind')) throw new Error(`Postgres did not start: ${reason}`)
    }
  }
}

function configuration(port: number, { fsync = true, settings = {} }: ClusterOptions): string {
  const careless = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' }
  const all = {
    listen_addresses: '127.0.0.1',
    port: String(port),
    unix_socket_directories: '',
    timezone: 'UTC',
    ...(fsync ? {} : careless),
    ...settings,
  }
  return Object.entries(all)
    .map(([name, value]) => `${name} = '${value.replaceAll("'", "''")}'\n`)
    .join('')
}

/** The caller's PGPORT, PGDATA and the like are about another server. */
function environment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('PG')))
}

/** A port of 127.0.0.1 that nobody uses now. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })
}

/** A folder of our own for what a server keeps, which its account can enter. */
export function scratchFolder(account: Account | undefined): string {
  const folder = mkdtempSync(join(account && closed(tmpdir()) ? '/tmp' : tmpdir(), 'kysely-jobs-postgres-'))
  if (account !== undefined) give(folder, account)
  return folder
}

/** Whether others may not enter a folder. */
function closed(folder: string): boolean {
  return (statSync(folder).mode & 0o001) === 0
}
