import { createHash } from 'node:crypto'
import type { Client, QueryConfig, QueryResult } from 'pg'
import { sqlState } from './error-class.js'

/** How a statement ends that guardPool() may prepare on its connections. To all others it is a comment. */
export const preparedMark = ' /* prepared */'

type Send = (query: QueryConfig) => Promise<QueryResult>

/** A kept plan may be of a time when the table was another: it is slow when the fastest of so many runs takes so long (milliseconds). */
const slow = 10
const runsOfAJudgement = 8

/** For so long (milliseconds) its statement is planned anew each time then. */
const pause = 60_000

/** So many names a pool gives at most, in all its life: each is a statement that every connection may hold. */
const mostNames = 32

/**
 * What the same statement may not meet when it is sent as if for the first time: its name is not known, or known already, or the
 * table has other columns now, or of other types, which its parameters do not fit.
 */
const mayBeOutdated = /^(?:0A|22|26|42)/

interface Statement {
  /** Undefined while it is planned anew each time. */
  name: string | undefined
  /** Names it has had. */
  names: number
  /** When (monotonic milliseconds) it may have another. */
  namedFrom: number
  runs: number
  fastest: number
}

/**
 * Prepared statements, for those that say they are worth it: to parse and plan the claim of one job takes 0.35 ms of
 * Postgres, to run it 0.15. Not behind a pooler, where the next statement may meet another session, nor in a
 * transaction, which a refusal would end.
 */
export class PreparedStatements {
  readonly #statements = new Map<string, Statement>()
  #names = 0

  /** Sends a statement on a client of a session of its own, by a name where it may be kept. */
  async send(query: QueryConfig, client: Client, send: Send): Promise<QueryResult> {
    const statement = isAtRest(client) ? this.#named(query.text) : undefined
    if (statement?.name === undefined) return send(query)
    const { name } = statement
    const sent = performance.now()
    try {
      const result = await send({ ...query, name })
      judge(statement, performance.now() - sent)
      return result
    } catch (error) {
      if (!mayBeOutdated.test(sqlState(error) ?? '')) throw error
      const result = await send(query) // whatever it did was rolled back
      if (statement.name === name) statement.name = undefined
      return result
    }
  }

  #named(text: string): Statement {
    const fresh = { name: undefined, names: 0, namedFrom: 0, runs: 0, fastest: Number.POSITIVE_INFINITY }
    const statement: Statement = this.#statements.get(text) ?? fresh
    const mayBeNamed = this.#names < mostNames && performance.now() >= statement.namedFrom
    if (statement.name === undefined && mayBeNamed) {
      this.#names += 1
      statement.names += 1
      statement.name = `kysely-jobs ${createHash('sha256').update(text).digest('hex').slice(0, 16)} ${statement.names}`
      this.#statements.set(text, statement)
    }
    return statement
  }
}

/** A stall, or a process that is busy, slows some runs, a bad plan all of them. */
function judge(statement: Statement, took: number): void {
  statement.runs += 1
  statement.fastest = Math.min(statement.fastest, took)
  if (statement.runs < runsOfAJudgement) return
  if (statement.fastest > slow) {
    statement.name = undefined
    statement.namedFrom = performance.now() + pause
  }
  statement.runs = 0
  statement.fastest = Number.POSITIVE_INFINITY
}

/** Not in a transaction. Versions of pg before 8.21 do not tell. */
function isAtRest(client: Client): boolean {
  return Reflect.get(client, 'getTransactionStatus')?.call(client) === 'I'
}

/** Whether a call of a client's query() is of a statement to be kept: as Kysely calls it, with no callback to be kept as well. */
export function isPrepared(parameters: readonly unknown[]): parameters is [text: string, values: unknown[]] {
  const [text, values] = parameters
  return parameters.length === 2 && typeof text === 'string' && Array.isArray(values) && text.endsWith(preparedMark)
}
