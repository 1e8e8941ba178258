import { sqlState } from '../../pg/error-class.js'
import { HandlerThrew } from '../hold/held-batch.js'
import { transactionFailed } from '../hold/write-held.js'
import { ResultError } from '../run/result.js'
import { RefusedError } from '../settle/refused-error.js'

/** The connection of a batch was cut off. */
export class CutOffError extends Error {
  override readonly name = 'CutOffError'
  readonly code = 'ECONNRESET'

  constructor(cause: unknown) {
    super('The connection of a batch was cut off', { cause })
  }
}

/** A deadlock, or a serialization failure: the same transaction may go through at once. */
export function gaveWay(failed: unknown): boolean {
  const state = sqlState(failed instanceof HandlerThrew ? failed.cause : failed)
  return state === '40P01' || state === '40001'
}

/**
 * What to say of the jobs of a batch that failed.
 * @param statement what the first statement of its handler threw that failed: whoever swallows it finds the transaction failed
 */
export function failureOf(failed: unknown, statement: unknown): unknown {
  if (failed instanceof HandlerThrew) return failed.cause
  if (failed instanceof ResultError || failed instanceof CutOffError) return failed
  const cause = sqlState(failed) === transactionFailed ? (statement ?? failed) : failed
  return new RefusedError('The handler ended well, but its transaction failed', { cause })
}
