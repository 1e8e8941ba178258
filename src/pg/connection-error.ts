import type pg from 'pg'
import { driverFault } from './driver-fault.js'
import { codeOf } from './error-class.js'

/** The database can't be reached or read; the message says why and what to do, in one line without a password. */
export class ConnectionError extends Error {
  override readonly name = 'ConnectionError'
  readonly code = 'CONNECTION'
}

type Target = Pick<pg.Client, 'host' | 'port' | 'user' | 'database'>

/** By the code of Postgres, of the system, of TLS, or by the fault that node-postgres tells: what is wrong, and the remedy. */
const sentences: [code: RegExp, sentence: (at: string, target: Target, message: string) => string][] = [
  [/^ENOTFOUND|^EAI_AGAIN/, (_, { host }) => `There is no host ${host}: check the name, and this machine's network`],
  // ENOENT is that of a Unix socket.
  [/^ECONNREFUSED|^ENOENT/, (at) => `Nothing listens at ${at}: check host and port, and that the server is running`],
  [
    /^(?:EACCES|EHOSTUNREACH|ENETUNREACH|ETIMEDOUT)$/,
    (at) => `${at} can't be reached: check host and port, the network and its firewalls`,
  ],
  [
    /^(?:ECONNRESET|EPIPE|connection ended)$/,
    (at) => `${at} hung up: check that a Postgres server, or its pooler, is what listens there`,
  ],
  [
    /CERT|LEAF_SIGNATURE/,
    (at, _, message) =>
      `The certificate of ${at} is not trusted (${message}): give sslrootcert=<file>, or sslmode=no-verify, in the URL`,
  ],
  [/^28P01$/, (_, { user }) => `Wrong password for the user ${user}, or no such user: check both in the URL`],
  [
    /^28000$/,
    (at, _, message) =>
      `${at} refuses us (${message}): check user, password and pg_hba.conf, or add ?sslmode=require to the URL`,
  ],
  [
    /^3D000$/,
    (at, { database }) => `There is no database ${database} at ${at}: check its name in the URL, or create it`,
  ],
  [/^42501$/, (_, { user }, message) => `The user ${user} may not do this (${message}): grant it, or use another`],
  [/^53300$|^57P03$/, (at, _, message) => `${at} is not ready (${message}): try again later`],
  [
    /^(?:57014|55P03|query timeout)$/,
    (at, _, message) => `${at} took too long (${message}): try again when it has less to do, or fewer locks`,
  ],
  [
    /^pool timeout$|^connect timeout$/,
    (at) => `${at} does not answer: check host, port and firewalls, and that it is a Postgres server`,
  ],
  [/^no SSL$/, (at) => `${at} refuses SSL: take sslmode out of the URL, or turn ssl on at the server`],
  [/^no password$/, (at) => `${at} asks for a password: put it into the URL, as postgres://user:password@host/name`],
]

/** What went wrong on the way to a database, said with its remedy; any other error as it is. */
export function connectionError(error: unknown, target: Target): unknown {
  if (!(error instanceof Error)) return error
  const code = driverFault(error) ?? codeOf(error)
  const [, sentence] = sentences.find(([pattern]) => pattern.test(code)) ?? []
  if (sentence === undefined) return error
  return new ConnectionError(sentence(address(target), target, error.message), { cause: error })
}

/** The same where only the error tells what was asked for. Without a connection string pg asks localhost, which few mean. */
export function startError(error: unknown): unknown {
  const first: unknown = error instanceof AggregateError ? error.errors[0] : error // of a host with two addresses
  if (!(first instanceof Error)) return error
  const of = (name: string): unknown => Reflect.get(first, name)
  const host = String(of('address') ?? of('hostname') ?? 'the server')
  const port = Number(of('port') ?? 0)
  const clear = connectionError(first, { host, port, user: 'of the pool', database: 'of the pool' })
  if (!(clear instanceof ConnectionError)) return error
  const isLocal = /^(?:127\.|::1|\/|localhost)/.test(host)
  const hint = isLocal ? '. If another server is meant: was the pool given its connection string (DATABASE_URL)?' : ''
  return new ConnectionError(clear.message + hint, { cause: error })
}

function address({ host, port }: Target): string {
  if (port === 0 || host.startsWith('/')) return host // a Unix socket
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}
