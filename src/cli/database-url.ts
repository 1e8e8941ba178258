import pg from 'pg'

/** A URL that names no Postgres database; the message never shows it, for it may hold a password in any place. */
export class DatabaseUrlError extends Error {
  override readonly name = 'DatabaseUrlError'
  readonly code = 'DATABASE_URL'
}

/** A slash, ? or # in a password ends the host part early: the driver would ask for a host called like the user. */
const strayAt = /^\w+:\/\/[^/?#]*[/?#].*@/s

const form = 'postgres://user:password@host:port/name'
const remedy = `write it as ${form}, with each of : / ? # [ ] @ % in user or password percent-encoded (@ is %40)`

/**
 * A client, not connected, for the database of a URL: it knows host, port, user and database.
 * @throws DatabaseUrlError
 */
export function clientOf(url: string | undefined): pg.Client {
  if (!url) throw new DatabaseUrlError(`No database is named: give --url ${form}, or set DATABASE_URL`)
  if (!/^postgres(ql)?:\/\//.test(url)) throw new DatabaseUrlError(`The database URL is no Postgres URL: ${remedy}`)
  const unreadable = () => new DatabaseUrlError(`The database URL can't be read: ${remedy}`)
  if (strayAt.test(url)) throw unreadable()
  try {
    return new pg.Client({ connectionString: url })
  } catch (error) {
    if (error instanceof Error && 'syscall' in error) throw error // a certificate that the URL names can't be read
    throw unreadable() // without a cause, which may quote the URL
  }
}
