import pg from 'pg'
import { shown } from '../schema/shown.js'
import type { ListenSource } from '../watch/listener.js'

/** What pg takes for a URL or a socket; anything else it would silently read as the name of a database. */
const connectionString = /^(?:postgres(?:ql)?:\/\/|socket:|\/)/i

/**
 * The value of the option `listen`, or why it is invalid. Neither a connection string nor pg's error about it is
 * shown: a password may be in them.
 */
export function listenSource(value: unknown): ListenSource | undefined | { readonly refused: string } {
  if (value === undefined) return undefined
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value // connecting tells what is in it
  if (typeof value !== 'string' || value === '') {
    return {
      refused: `listen: ${shown(value)} is invalid; give a connection string, a pg config or a pg Pool`,
    }
  }
  if (isReadable(value)) return value
  return {
    refused:
      'listen: the connection string can not be read; give postgres://user:password@host:5432/database, with special characters of the password percent-encoded',
  }
}

function isReadable(value: string): boolean {
  if (!connectionString.test(value)) return false
  try {
    new pg.Client(value)
    return true
  } catch {
    return false
  }
}
