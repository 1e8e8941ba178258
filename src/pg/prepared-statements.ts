import type { Client, QueryConfig, QueryResult } from 'pg'
import { sqlState } from './error-class.js'

/** How a statement ends that guardPool() may prepare on its connections. To all others it is a comment. */
export const preparedMark = ' /* prepared */'

/** The same of a statement in a transaction, by whoever begins another where it is refused; it then has another name. */
export const preparedInTransactionMark = ' /* prepared, in a transaction */'

type Send = (query: QueryConfig) => Promise<QueryResult>

/** So many names a pool gives at most, in all its life: each is a statement that every connection may hold. */
const mostNames = 32

/**
 * What the same statement may not meet when it is sent as if for the first time: its name is not known, or known already, or the
 * table has other columns now, or of other types, which its parameters do not fit.
 */
const mayBeOutdated = /^(?:0A|22|26|42)/

/**
 * Prepared statements, for those that say they are worth it: to parse and plan the claim of one job takes 0.35 ms of
 * Postgres, to run it 0.15. Not behind a pooler, where the next statement may meet another session, nor in a
 * transaction, which a refusal would end.
 */
export class PreparedStatements {
  /** By their texts. */
  readonly #names = new Map<string, string>()
  #given = 0

  /** Sends a statement on a client of a session of its own, by a name where it may be kept. */
  async send(query: QueryConfig, client: Client, send: Send): Promise<QueryResult> {
    const isWithin = query.text.endsWith(preparedInTransactionMark)
    const name = isWithin || isAtRest(client) ? this.#nameOf(query.text) : undefined
    if (name === undefined) return send(query)
    try {
      return await send({ ...query, name })
    } catch (error) {
      if (!mayBeOutdated.test(sqlState(error) ?? '')) throw error
      const result = isWithin ? undefined : await send(query) // whatever it did was rolled back
      if (this.#names.get(query.text) === name) this.#names.delete(query.text)
      if (result === undefined) throw error
      return result
    }
  }

  /** Another one after a refusal: under the old one sessions hold what was refused. */
  #nameOf(text: string): string | undefined {
    if (!this.#names.has(text) && this.#given < mostNames) {
      this.#given += 1
      this.#names.set(text, `kysely-jobs ${this.#given}`)
    }
    return this.#names.get(text)
  }
}

/** Not in a transaction. Versions of pg before 8.21 do not tell. */
function isAtRest(client: Client): boolean {
  return Reflect.get(client, 'getTransactionStatus')?.call(client) === 'I'
}

/** Whether a call of a client's query() is of a statement to be kept: as Kysely calls it, with no callback to be kept as well. */
export function isPrepared(parameters: readonly unknown[]): parameters is [text: string, values: unknown[]] {
  const [text, values] = parameters
  if (parameters.length !== 2 || typeof text !== 'string' || !Array.isArray(values)) return false
  return text.endsWith(preparedMark) || text.endsWith(preparedInTransactionMark)
}
