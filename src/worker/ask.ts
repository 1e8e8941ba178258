import type { Kysely } from 'kysely'
import { driverFault } from '../pg/driver-fault.js'
import { concernsAll, sqlState } from '../pg/error-class.js'
import type { JobDatabase } from '../schema/job-database.js'
import { DeadlineError, withDeadline } from '../watch/deadline.js'

/**
 * A statement that was never sent, as no connection was to be had for it: the program itself holds all of its pool
 * (`NO_CONNECTION`), or the server has no more to give (`SERVER_FULL`).
 */
export class NoConnectionError extends Error {
  override readonly name = 'NoConnectionError'
  readonly code: 'NO_CONNECTION' | 'SERVER_FULL'

  constructor(code: NoConnectionError['code'], message: string, cause: unknown) {
    super(message, { cause })
    this.code = code
  }
}

/** The server's `too_many_connections`: of all, of the role or of the database. */
const tooManyConnections = '53300'

/** A place in the queue for a connection, and what is to be done when there is one. */
interface Place {
  taken?: { send(connection: Kysely<JobDatabase>): Promise<void>; fail(error: unknown): void } | undefined
}

/** Places in which nobody waits any more, by handle. */
const leftPlaces = new WeakMap<Kysely<JobDatabase>, Set<Place>>()

/** Takes the place of somebody who gave up, which is nearer to its turn, and of which the pool knows. */
function takePlace(db: Kysely<JobDatabase>, taken: Place['taken']): { leave(): void } {
  const left = leftPlaces.get(db) ?? new Set()
  leftPlaces.set(db, left)
  const [place = { taken: undefined }] = left
  place.taken = taken
  const leave = () => {
    place.taken = undefined
    left.add(place)
  }
  if (left.delete(place)) return { leave }
  const answer = db.connection().execute(async (connection) => {
    left.delete(place)
    await place.taken?.send(connection)
  })
  answer.catch((error: unknown) => {
    left.delete(place)
    place.taken?.fail(error)
  })
  return { leave }
}

/**
 * Sends a statement and waits for its answer, both together no longer than so many milliseconds. What got no connection
 * by then is not sent any more: nobody would wait for it. An answer that is late goes to `late`.
 * @throws NoConnectionError, DeadlineError; whatever the database says
 */
export async function ask<Value>(
  db: Kysely<JobDatabase>,
  limit: number,
  doing: string,
  statement: (connection: Kysely<JobDatabase>) => Promise<Value>,
  late?: (value: Value) => void,
): Promise<Value> {
  const { promise, resolve, reject } = Promise.withResolvers<Value>()
  let sent = false
  const send = async (connection: Kysely<JobDatabase>) => {
    sent = true
    resolve(await statement(connection))
  }
  const place = takePlace(db, { send, fail: reject })
  try {
    return await withDeadline(promise, limit, doing, late)
  } catch (error) {
    if (sent) throw unanswered(error, doing, limit)
    if (error instanceof DeadlineError) place.leave()
    throw withoutConnection(error, doing)
  }
}

/** It had its connection. */
function unanswered(error: unknown, doing: string, limit: number): unknown {
  if (!(error instanceof DeadlineError)) return error
  return new DeadlineError(
    `No answer to ${doing} within ${Math.round(limit)} ms: the connection is cut off, or the row or table is locked`,
  )
}

/** Why there was no connection, and the remedy. */
function withoutConnection(error: unknown, doing: string): unknown {
  if (error instanceof DeadlineError || driverFault(error) === 'pool timeout') {
    const text = `No connection for ${doing} in time: all connections of the pool are taken (give it more, by \`max\`, than handlers and the rest of the program hold at once: pg's default is 10), or the server lets nobody in`
    return new NoConnectionError('NO_CONNECTION', text, error)
  }
  // Nothing was sent: whatever it is (no such password, a pool that has ended), it is of no row.
  if (!concernsAll(error)) return new NoConnectionError('NO_CONNECTION', `No connection for ${doing}`, error)
  if (sqlState(error) !== tooManyConnections) return error
  const text = `No connection for ${doing}: the server gives no more (raise max_connections, or the limit of the role or database, or let the pools of all processes together be smaller)`
  return new NoConnectionError('SERVER_FULL', text, error)
}
