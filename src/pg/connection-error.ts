import type pg from 'pg'
import { type DriverFault, driverFault } from './driver-fault.js'

/** The database can't be reached or read; the message says why and what to do, in one line without a password. */
export class ConnectionError extends Error {
  override readonly name = 'ConnectionError'
  readonly code = 'CONNECTION'
}

type Target = Pick<pg.Client, 'host' | 'port' | 'user' | 'database'>
type Sentence = (target: Target, message: string) => string

const notFound: Sentence = ({ host }) => `There is no host ${host}: check the name, and this machine's network`
const nobodyListens: Sentence = (target) =>
  `Nothing listens at ${address(target)}: check host and port, and that the server is running`
const unreachable: Sentence = (target) =>
  `${address(target)} can't be reached: check host and port, the network and its firewalls`
const hungUp: Sentence = (target) =>
  `${address(target)} hung up: check that a Postgres server, or its pooler, is what listens there`
const refused: Sentence = (target, message) =>
  `${address(target)} refuses us (${message}): check user, password and pg_hba.conf, or add ?sslmode=require to the URL`
const notTrusted: Sentence = (target, message) =>
  `The certificate of ${address(target)} is not trusted (${message}): give sslrootcert=<file>, or sslmode=no-verify, in the URL`
const tooSlow: Sentence = (target, message) =>
  `${address(target)} took too long (${message}): try again when it has less to do, or fewer locks`
const silent: Sentence = (target) =>
  `${address(target)} does not answer: check host, port and firewalls, and that it is a Postgres server`
const tryAgain: Sentence = (target, message) => `${address(target)} is not ready (${message}): try again later`

/** By the code of Postgres, of the system, or of TLS. */
const byCode: Readonly<Record<string, Sentence>> = {
  ENOTFOUND: notFound,
  EAI_AGAIN: notFound,
  ECONNREFUSED: nobodyListens,
  ENOENT: nobodyListens, // a Unix socket
  EACCES: unreachable,
  EHOSTUNREACH: unreachable,
  ENETUNREACH: unreachable,
  ETIMEDOUT: unreachable,
  ECONNRESET: hungUp,
  EPIPE: hungUp,
  CERT_HAS_EXPIRED: notTrusted,
  DEPTH_ZERO_SELF_SIGNED_CERT: notTrusted,
  ERR_TLS_CERT_ALTNAME_INVALID: notTrusted,
  SELF_SIGNED_CERT_IN_CHAIN: notTrusted,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: notTrusted,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: notTrusted,
  '28P01': ({ user }) => `Wrong password for the user ${user}, or no such user: check both in the URL`,
  '28000': refused,
  '3D000': (target) =>
    `There is no database ${target.database} at ${address(target)}: check its name in the URL, or create it`,
  '42501': ({ user }, message) => `The user ${user} may not read this database (${message}): grant it, or use another`,
  '53300': tryAgain,
  '57P03': tryAgain,
  '57014': tooSlow,
  '55P03': tooSlow,
}

const byFault: Readonly<Record<DriverFault, Sentence>> = {
  'query timeout': tooSlow,
  'pool timeout': silent,
  'connect timeout': silent,
  'no SSL': (target) => `${address(target)} refuses SSL: take sslmode out of the URL, or turn ssl on at the server`,
  'no password': (target) =>
    `${address(target)} asks for a password: put it into the URL, as postgres://user:password@host/name`,
  'connection ended': hungUp,
}

/** What went wrong on the way to a database, said with its remedy; any other error as it is. */
export function connectionError(error: unknown, target: Target): unknown {
  if (!(error instanceof Error)) return error
  const code = 'code' in error ? String(error.code) : ''
  const fault = driverFault(error)
  const sentence = byCode[code] ?? (fault && byFault[fault])
  return sentence === undefined ? error : new ConnectionError(sentence(target, error.message), { cause: error })
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
  if (port === 0) return host
  if (host.startsWith('/')) return host // a Unix socket
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}
