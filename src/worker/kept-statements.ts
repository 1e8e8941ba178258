import { randomUUID } from 'node:crypto'
import type { QueryConfig, QueryResult } from 'pg'
import { keptMark } from '../queue/kept.js'
import { sqlState } from './database-error.js'
import type { Pulsed } from './pulse.js'

type Send = (query: QueryConfig) => Promise<QueryResult>

/** A kept plan that takes so long (milliseconds, a moving average) may be of a time when the table was another. */
const slow = 10

/** For so long (milliseconds) plans are made anew then; by its end autovacuum has told Postgres what the table holds. */
const pause = 60_000

/** What Postgres says where a prepared statement is not there, is there already, or would return other columns than it did. */
const [notThere, thereAlready, otherColumns] = ['26000', '42P05', '0A000'] as const

/**
 * Prepared statements, for those that say they are worth it: to parse and plan the claim of one job takes 0.35 ms of
 * Postgres, to run it 0.15. Not behind a pooler, where the next statement may meet another session.
 */
export class KeptStatements {
  /** By text. No other pool has the names, so none can mean another's statement. */
  readonly #names = new Map<string, string>()
  #average = 0
  /** Monotonic milliseconds; undefined until it is known whose the sessions are. */
  #trustedFrom: number | undefined

  /** Sends a statement on a client, by its name where it may be kept. */
  async send(query: QueryConfig, client: Pulsed, send: Send): Promise<QueryResult> {
    this.#trustedFrom ??= (await isDirect(client, send)) ? 0 : Number.POSITIVE_INFINITY
    const sent = performance.now()
    if (sent < this.#trustedFrom) return send(query)
    try {
      const result = await send({ ...query, name: this.#nameOf(query.text) })
      this.#took(performance.now() - sent)
      return result
    } catch (error) {
      const state = sqlState(error)
      if (state === otherColumns) this.#names.delete(query.text)
      else if (state === notThere || state === thereAlready) this.#trustedFrom = Number.POSITIVE_INFINITY
      else throw error
      return send(query) // it was refused before it did anything
    }
  }

  #nameOf(text: string): string {
    const name = this.#names.get(text) ?? `kysely-jobs ${randomUUID()}`
    this.#names.set(text, name)
    return name
  }

  #took(milliseconds: number): void {
    this.#average += (milliseconds - this.#average) / 8
    if (this.#average < slow) return
    this.#average = 0
    this.#trustedFrom = performance.now() + pause
  }
}

/** A pooler has told its client of another process than the one that answers. */
async function isDirect({ processID }: Pulsed, send: Send): Promise<boolean> {
  const { rows } = await send({ text: 'select pg_backend_pid() as pid' })
  return rows[0]?.pid === processID
}

/** Whether a call of a client's query() is of a statement to be kept. */
export function isKept(parameters: readonly unknown[]): parameters is [text: string, values: unknown[]] {
  const [text] = parameters
  return typeof text === 'string' && text.endsWith(keptMark)
}
