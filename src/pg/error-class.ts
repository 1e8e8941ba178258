import { constants } from 'node:os'
import { codeOf } from '../schema/error-code.js'
import { driverFault } from './driver-fault.js'

/**
 * SQLSTATE classes in which a statement fails whatever rows it writes: no connection, transaction rolled back,
 * read-only, no resources, shutdown, system error.
 */
const concernAll = /^(?:08|25|40|53|57P|58)/

/** Those in which it does as well (no such table or column, not allowed, not supported, internal error), but where a row's own trigger says so. */
const concernStatement = /^(?:0A|28|42|XX)/

/** What one row may meet and its neighbours not: a row-level policy refuses it (as it is said of a whole table), or it is corrupt. */
const concernRow = /^(?:42501|XX00[12])$/

/** Codes of a connection that gave no answer: our own deadlines, a name that was not found, and what ends a TLS connection. */
const ofConnection =
  /^(?:DEADLINE|NO_CONNECTION|SERVER_FULL|EAI_\w+|ENOTFOUND|EPROTO|ERR_(?:TLS|SSL|SOCKET|STREAM)_\w+)$/

/**
 * Whether an error would meet any statement of the kind, so that a batch need not be taken apart to find a culprit. In
 * doubt it would not: to look for a culprit in vain costs some statements, to look for none holds up its neighbours. So
 * of errors that no server sent, only those of the connection do: any other may come from one row's values.
 */
export function concernsAll(error: unknown): boolean {
  const state = sqlState(error)
  if (state === undefined) return isOfConnection(error)
  const isOfRow = concernRow.test(state) || wasRaisedWithin(error)
  return concernAll.test(state) || (concernStatement.test(state) && !isOfRow)
}

/** By a function that the statement called, as a trigger is for each row: Postgres says where. */
function wasRaisedWithin(error: unknown): boolean {
  return error instanceof Error && typeof Reflect.get(error, 'where') === 'string'
}

/** A lock that was not to be had in time, a statement that took too long. */
const tookTooLong = /^(?:55P03|57014)$/

/**
 * Whether the same may go through later, whatever rows it is about: one row alone is not to blame. A row's own trigger that
 * takes too long is.
 */
export function mayPass(error: unknown): boolean {
  return concernsAll(error) || (tookTooLong.test(sqlState(error) ?? '') && !wasRaisedWithin(error))
}

/** What Postgres says that has no connection to give, or is about to stop or not up yet; and of a connection that was lost. */
const ofServerAway = /^(?:08|53|57P)/

/**
 * Whether it is the server that is away or does not answer, so that whoever asks anew meets the same. Not where the program itself
 * holds all connections of its pool.
 */
export function isServerAway(error: unknown): boolean {
  const state = sqlState(error)
  if (state !== undefined) return ofServerAway.test(state)
  return isOfConnection(error) && codeOf(error) !== 'NO_CONNECTION'
}

/** The statement got no answer, as its connection was not made, or is lost. */
function isOfConnection(error: unknown): boolean {
  const code = codeOf(error)
  return code in constants.errno || ofConnection.test(code) || driverFault(error) !== undefined
}

/** The code of what a server said; undefined where it said nothing. EPIPE looks like one, but each has a digit. */
export function sqlState(error: unknown): string | undefined {
  const code = codeOf(error)
  return /^(?=.*\d)[0-9A-Z]{5}$/.test(code) ? code : undefined
}

export { codeOf }
