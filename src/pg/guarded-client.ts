import type { Client, ClientConfig, QueryConfig } from 'pg'
import { asPgClient, backendOf } from './backend.js'
import { driverFault } from './driver-fault.js'
import { sqlState } from './error-class.js'
import type { LivenessCheck } from './liveness-check.js'
import { answeredBy, poolQuestion } from './pool-question.js'
import { isPrepared, type PreparedStatements } from './prepared-statements.js'

/**
 * SQLSTATEs after which a session is of no use: its server hangs up (57P, 08, or for what it did not do in time), or is
 * read-only, which it stays until it ends, however long a worker tries: in use, it is never idle long enough to be renewed.
 */
const endsSession = /^(?:57P|08|25P0[34]|25006)/

/**
 * SQLSTATEs of which only some end their session. All others leave it: of them "ready for query" may be a packet away when
 * the client is released, and a healthy connection would be closed for that.
 */
const mayEndSession = /^(?:28|5[3478]|F0|XX)/

/** How long (milliseconds) a client that was closed waits for its server to hang up. */
const farewell = 500

/** What queries on the clients of a pool have met. */
export interface ClientUse {
  /** No query may follow on it. */
  readonly broken: WeakSet<object>
  /** The server refused something since it was last released. */
  readonly refused: WeakSet<object>
}

/**
 * Whether a client that is released may not be used again. An error that is not followed by "ready for query" is one after
 * which the server hangs up: it is known by that, as its severity is a word in the server's language.
 */
export function mustEnd(client: object, { broken, refused }: ClientUse): boolean {
  return broken.has(client) || (refused.delete(client) && asPgClient(client).readyForQuery === false)
}

/** A pool's class of clients, as one whose clients learn who answers them, are watched, and end for sure. */
export function guardedClient(
  Unguarded: typeof Client,
  liveness: LivenessCheck,
  statements: PreparedStatements,
  use: ClientUse,
  max: number,
): typeof Client {
  return class extends Unguarded {
    constructor(config?: ClientConfig) {
      super(config)
      this.on('error', () => {}) // whoever holds the client learns it from the query
      liveness.watch(this)
      this.once('end', () => liveness.forget(this))
    }

    override connect(...parameters: unknown[]): never {
      const [callback] = parameters as [((error?: unknown) => void)?] // as pools call it
      if (callback === undefined) return super.connect() as never // the other overload
      const login = liveness.asked(this)
      const connected = (error?: Error | null) => {
        liveness.answered(login)
        if (error) callback(error)
        else identify(this, liveness).then(() => callback(), callback)
      }
      return super.connect(connected as () => void) as never // it is called with the error first, as all of Node's
    }

    override query(...parameters: unknown[]): never {
      if (parameters[0] === poolQuestion) return this.#send(answeredBy(max), [])
      if (!isPrepared(parameters) || !liveness.isDirect(this)) return this.#send(...parameters)
      const [text, values] = parameters
      const send = (query: QueryConfig) => this.#send(query)
      return statements.send({ text, values }, this as Client, send) as never // a promise, as was asked for
    }

    #send(...parameters: unknown[]): never {
      const question = liveness.asked(this)
      const answer: unknown = Reflect.apply(super.query, this, parameters)
      const answered = () => liveness.answered(question)
      if (answer instanceof Promise) answer.then(answered, (error: unknown) => [answered(), note(error, this, use)])
      else answered()
      return answer as never // all overloads pass through
    }

    override end(...parameters: unknown[]): never {
      setTimeout(() => asPgClient(this).connection.stream.destroy(), farewell).unref()
      return Reflect.apply(super.end, this, parameters) as never // both overloads pass through
    }
  } as typeof Client // with the overloads
}

function note(error: unknown, client: object, { broken, refused }: ClientUse): void {
  if (isBreaking(error)) broken.add(client)
  else if (mayEndSession.test(sqlState(error) ?? '')) refused.add(client)
}

/** Before a client's first query, as later on a transaction may be under way. */
async function identify(client: object, liveness: LivenessCheck): Promise<void> {
  try {
    liveness.isAnsweredBy(client, await backendOf(client as Client)) // it is one
  } catch (error) {
    if (sqlState(error) === undefined || isBreaking(error)) throw error
    // a server that does not know the query
  }
}

/** After a timeout the answer may still come, to the wrong query. */
function isBreaking(error: unknown): boolean {
  return driverFault(error) === 'query timeout' || endsSession.test(sqlState(error) ?? '')
}
