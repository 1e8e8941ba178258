import type { Client, ClientConfig } from 'pg'
import { asPgClient, backendsOf } from './backend.js'
import { ClientStatements } from './client-statements.js'
import { driverFault } from './driver-fault.js'
import { sqlState } from './error-class.js'
import type { LivenessCheck, Watched } from './liveness-check.js'
import { poolQuestion } from './pool-question.js'
import { StatementNames } from './statement-names.js'

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

/** A pool's class of clients, as one whose clients learn who answers them, are watched, and end for sure. */
export function guardedClient(Unguarded: typeof Client, liveness: LivenessCheck, max: number): typeof Client {
  const names = new StatementNames()
  return class extends Unguarded {
    readonly #watched: Watched
    readonly #statements = new ClientStatements(names, this as Client, (query) => this.#send(query)) // with the overloads

    constructor(config?: ClientConfig) {
      super(config)
      this.on('error', () => {}) // whoever holds the client learns it from the query
      this.#watched = liveness.watch(this)
    }

    get mustEnd(): boolean {
      return mustEnd(this.#watched)
    }

    override connect(...parameters: unknown[]): never {
      const [callback] = parameters as [((error?: unknown) => void)?] // as pools call it
      if (callback === undefined) return super.connect() as never // the other overload
      liveness.asked(this.#watched)
      const connected = (error?: Error | null) => {
        this.#watched.open -= 1
        if (error) callback(error)
        else identify(this as Client, this.#watched).then(() => callback(), callback) // with the overloads
      }
      return super.connect(connected as () => void) as never // it is called with the error first, as all of Node's
    }

    override query(...parameters: unknown[]): never {
      if (parameters[0] === poolQuestion) return this.#send(poolQuestion.replace('null', `'${max}'`), [])
      const sent = this.#statements.sent(parameters, this.#watched.backend !== undefined)
      return (sent ?? this.#send(...parameters)) as never // a promise, where one was asked for
    }

    #send(...parameters: unknown[]): never {
      liveness.asked(this.#watched)
      const answered = (answer?: unknown) => note(answer, this.#watched)
      const answer: unknown = Reflect.apply(super.query, this, parameters)
      if (answer instanceof Promise) answer.then(answered, answered)
      else answered()
      return answer as never // all overloads pass through
    }

    override end(...parameters: unknown[]): never {
      setTimeout(() => asPgClient(this).connection.stream.destroy(), farewell).unref()
      return Reflect.apply(super.end, this, parameters) as never // both overloads pass through
    }
  } as typeof Client // with the overloads
}

/** Before a client's first query, as later on a transaction may be under way. */
async function identify(client: Client, watched: Watched): Promise<void> {
  try {
    const backends = await backendsOf(client)
    watched.backend = backends.get(asPgClient(client).processID ?? 0)
  } catch (error) {
    if (sqlState(error) === undefined || isBreaking(error)) throw error
    // a server that does not know the query
  }
}

/** An answer, or an error, has come. */
function note(answer: unknown, watched: Watched): void {
  watched.open -= 1
  watched.isBroken ||= isBreaking(answer)
  watched.isRefused = mayEndSession.test(sqlState(answer) ?? '')
}

/**
 * Whether a client that is released may not be used again. An error that is not followed by "ready for query" is one after
 * which the server hangs up: it is known by that, as its severity is a word in the server's language.
 */
function mustEnd({ client, isBroken, isRefused }: Watched): boolean {
  return isBroken || (isRefused && client.readyForQuery === false)
}

/** After a timeout the answer may still come, to the wrong query. */
function isBreaking(error: unknown): boolean {
  return driverFault(error) === 'query timeout' || endsSession.test(sqlState(error) ?? '')
}
