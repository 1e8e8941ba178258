import { Socket } from 'node:net'
import type { ClientConfig, Pool } from 'pg'
import type { Options, Subscriber } from 'pg-listen'
import { poolConfig } from '../pg/pool-config.js'

/** Where to listen: a connection string, a pg config, or a Pool, whose settings (never its clients) are used. */
export type ListenSource = string | ClientConfig | Pool

export interface ListenerHooks {
  notified(channel: string, payload: string): void
  /** The connection is of no use any more. Called once. */
  lost(reason: Error): void
}

/** How long connecting, and one LISTEN, may take. */
const patience = 10_000

/** How long a connection is given to say goodbye before its socket is destroyed. */
const farewell = 200

/**
 * pg-listen's own reconnecting is switched off (a limit of one means no try at all, and an error event at once): it
 * gives up after 3 s, does not repeat a LISTEN that failed, and goes on after `close()`. Its liveness check has no time
 * limit. Both are the shared listener's business, which builds a new connection instead.
 */
const options: Options = { retryLimit: 1, retryTimeout: 0, paranoidChecking: false, parse: (payload) => payload }

/** One connection that listens, from its opening to its loss: the only door to pg-listen. */
export class Listener {
  readonly #subscriber: Subscriber
  readonly #socket: Socket
  #closed = false

  private constructor(create: Create, source: ListenSource, hooks: ListenerHooks) {
    this.#socket = new Socket()
    this.#subscriber = create(clientConfig(source, this.#socket), options)
    this.#subscriber.events.on('error', (error) => {
      if (!this.#closed) hooks.lost(error)
    })
    this.#subscriber.events.on('notification', ({ channel, payload }) => hooks.notified(channel, String(payload ?? '')))
  }

  /** Connects. @throws what the server or the network says */
  static async open(source: ListenSource, hooks: ListenerHooks): Promise<Listener> {
    let opened = false
    const listener = new Listener(await pgListen(), source, {
      ...hooks,
      lost: (reason) => opened && hooks.lost(reason),
    })
    try {
      await listener.#subscriber.connect()
      opened = true
      return listener
    } catch (error) {
      await listener.close()
      throw error
    }
  }

  /** Resolves when the LISTEN took effect. */
  async listen(channel: string): Promise<void> {
    await this.#subscriber.listenTo(channel)
  }

  async unlisten(channel: string): Promise<void> {
    await this.#subscriber.unlisten(channel)
  }

  /** Says goodbye, and destroys the socket where nobody answers. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#subscriber.close().catch(() => {}) // it may never have been open
    if (!this.#socket.closed) {
      const timer = setTimeout(() => this.#socket.destroy(), farewell)
      if (this.#socket.pending) this.#socket.destroy()
      await new Promise<void>((resolve) =>
        this.#socket.closed ? resolve() : this.#socket.once('close', () => resolve()),
      )
      clearTimeout(timer)
    }
  }
}

type Create = (config: ClientConfig, options: Options) => Subscriber

/**
 * Loads pg-listen, which looks for a file beside its own when it is loaded: in a bundle there is none, so that only
 * those who listen load it. Its default export is nested as deep as Node or the bundler puts it.
 */
async function pgListen(): Promise<Create> {
  try {
    let found: unknown = await import('pg-listen')
    while (typeof found === 'object' && found !== null) found = Reflect.get(found, 'default')
    if (typeof found === 'function') return found as Create // its only function
    throw new TypeError('it exports no function')
  } catch (cause) {
    throw new Error("Can't load pg-listen: mark it as external where this program is bundled (docs/bundlers.md)", {
      cause,
    })
  }
}

function clientConfig(source: ListenSource, socket: Socket): ClientConfig {
  const given = typeof source === 'string' ? { connectionString: source } : isPool(source) ? poolConfig(source) : source
  return {
    connectionTimeoutMillis: patience,
    query_timeout: patience,
    application_name: 'kysely-jobs listener',
    ...given,
    stream: () => socket,
  }
}

function isPool(source: ClientConfig | Pool): source is Pool {
  return 'options' in source && typeof source.options === 'object'
}
