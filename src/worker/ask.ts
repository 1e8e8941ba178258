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

/** Who waits for a connection, the first to come first. */
interface Waiting {
  send(connection: Kysely<JobDatabase>): Promise<void>
  fail(error: unknown): void
}

/** Who waits, and how many connections the pool has been asked for and has not given yet. */
interface Line {
  readonly waiting: Set<Waiting>
  requested: number
}

const lines = new WeakMap<Kysely<JobDatabase>, Line>()

/**
 * A connection goes to whoever has waited longest. Who gives up leaves what was asked for in the pool's queue, near to
 * its turn, to who comes next: so a busy pool starves nobody, and nothing piles up in its queue.
 */
function lineUp(db: Kysely<JobDatabase>, waiting: Waiting): void {
  const line = lines.get(db) ?? { waiting: new Set(), requested: 0 }
  lines.set(db, line)
  line.waiting.add(waiting)
  if (line.requested >= line.waiting.size) return
  line.requested += 1
  let given = false
  const connection = db.connection().execute(async (connection) => {
    given = true
    line.requested -= 1
    const next = nextOf(line)
    await next?.send(connection).catch(next.fail)
  })
  connection.catch((error: unknown) => {
    if (given) return
    line.requested -= 1
    if (line.requested < line.waiting.size) nextOf(line)?.fail(error)
  })
}

function nextOf({ waiting }: Line): Waiting | undefined {
  const [first] = waiting
  if (first !== undefined) waiting.delete(first)
  return first
}

/**
 * Sends a statement and waits for its answer, both together no longer than so many milliseconds. What got no connection
 * by then is not sent any more: nobody would wait for it. An answer that is late goes to `late`.
 * @throws NoConnectionError, DeadlineError; whatever the database says
 */
export function ask<Value>(
  db: Kysely<JobDatabase>,
  limit: number,
  doing: string,
  statement: (connection: Kysely<JobDatabase>) => Promise<Value>,
  late?: (value: Value) => void,
): Promise<Value> {
  return lend(db, limit, doing, async (connection, answer) => answer(await statement(connection)), late)
}

/** The same for what goes on with its connection after it has answered: it is given back when `use` ends. */
export async function lend<Value>(
  db: Kysely<JobDatabase>,
  limit: number,
  doing: string,
  use: (connection: Kysely<JobDatabase>, answer: (value: Value) => void) => Promise<void>,
  late?: (value: Value) => void,
): Promise<Value> {
  const { promise, resolve, reject } = Promise.withResolvers<Value>()
  let sent = false
  const send = (connection: Kysely<JobDatabase>) => {
    sent = true
    return use(connection, resolve)
  }
  const waiting = { send, fail: reject }
  lineUp(db, waiting)
  try {
    return await withDeadline(promise, limit, doing, late)
  } catch (error) {
    if (sent) throw unanswered(error, doing, limit)
    lines.get(db)?.waiting.delete(waiting)
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
