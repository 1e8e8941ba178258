import { Socket } from 'node:net'
import pg, { type ClientConfig, type Pool } from 'pg'
import type pgListen from 'pg-listen'
import type { Options, Subscriber } from 'pg-listen'
import { poolConfig } from '../pg/backend.js'
import { sqlState } from '../pg/error-class.js'

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

/** pg-listen is not there, as in a bundle that is run without its node_modules. */
export class ListenerLoadError extends Error {
  override readonly name = 'ListenerLoadError'
  readonly code = 'LISTENER_LOAD'
}

type CreateSubscriber = typeof pgListen.default

/** What a server older than 14, or a pooler, says of a setting in a login that it does not know. */
const unknownSetting = /^(?:08P01|0A|22|42)/

/** One connection that listens, from its opening to its loss: the only door to pg-listen. */
export class Listener {
  readonly #subscriber: Subscriber
  readonly #socket: Socket
  #opened = false
  #closed = false
  /** The last statement: pg asks for one at a time. */
  #last: Promise<unknown> = Promise.resolve()

  private constructor(create: CreateSubscriber, config: ClientConfig, hooks: ListenerHooks) {
    const socket = new Socket()
    this.#socket = socket
    this.#subscriber = create({ ...config, stream: () => socket }, options)
    this.#subscriber.events.on('error', (error) => {
      if (this.#opened && !this.#closed) hooks.lost(error)
    })
    this.#subscriber.events.on('notification', ({ channel, payload }) => hooks.notified(channel, String(payload ?? '')))
  }

  /** Connects. @throws ListenerLoadError; what the server or the network says */
  static async open(source: ListenSource, hooks: ListenerHooks): Promise<Listener> {
    const create = await loadPgListen()
    const config = clientConfig(source)
    return new Listener(create, withoutIdleTimeout(config), hooks).#connect().catch((error: unknown) => {
      if (!unknownSetting.test(sqlState(error) ?? '')) throw error
      return new Listener(create, config, hooks).#connect()
    })
  }

  async #connect(): Promise<this> {
    try {
      await this.#subscriber.connect()
      this.#opened = true
      return this
    } catch (error) {
      await this.close()
      throw error
    }
  }

  /** Resolves when the LISTEN took effect. */
  listen(channel: string): Promise<void> {
    return this.#inTurn(() => this.#subscriber.listenTo(channel))
  }

  unlisten(channel: string): Promise<void> {
    return this.#inTurn(() => this.#subscriber.unlisten(channel))
  }

  #inTurn(statement: () => Promise<unknown> | undefined): Promise<void> {
    const done = this.#last.then(statement).then(() => {})
    this.#last = done.catch(() => {}) // its own caller is told
    return done
  }

  /** Says goodbye, and destroys the socket where nobody answers. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#subscriber.close().catch(() => {}) // it may never have been open
    const socket = this.#socket
    if (socket.pending) socket.destroy()
    if (socket.closed) return
    const timer = setTimeout(() => socket.destroy(), farewell)
    await new Promise((resolve) => socket.once('close', resolve))
    clearTimeout(timer)
  }
}

/**
 * Loads pg-listen when something listens, and out of the sight of bundlers: pg-format, beneath it, requires a file by
 * `__dirname`, so that no bundle that holds it can run. The default export of a CommonJS module is nested once or twice.
 * @throws ListenerLoadError
 */
async function loadPgListen(): Promise<CreateSubscriber> {
  try {
    const name = ['pg', 'listen'].join('-') // a constant would be found by minifiers
    let loaded: unknown = await import(/* webpackIgnore: true */ /* turbopackIgnore: true */ /* @vite-ignore */ name)
    while (typeof loaded === 'object' && loaded !== null && 'default' in loaded) loaded = loaded.default
    return loaded as CreateSubscriber // its only export
  } catch (cause) {
    throw new ListenerLoadError(
      'listen: the package pg-listen can not be loaded. In a bundled program mark it as external (esbuild and Bun: --external:pg-listen; rollup and webpack: externals; Next.js: serverExternalPackages), and have it in the node_modules where the program runs; or leave `listen` out, and poll',
      { cause },
    )
  }
}

function clientConfig(source: ListenSource): ClientConfig {
  const given = typeof source === 'string' ? { connectionString: source } : isPool(source) ? poolConfig(source) : source
  return {
    connectionTimeoutMillis: patience,
    query_timeout: patience,
    application_name: 'kysely-jobs listener',
    ...given,
  }
}

/** Who listens says nothing for long: `idle_session_timeout` would end it each time. */
function withoutIdleTimeout(config: ClientConfig): ClientConfig {
  const { options: given = '' } = Reflect.get(new pg.Client(config), 'connectionParameters') // untyped
  const settings = `${given || ''} -c idle_session_timeout=0`.trim()
  const { connectionString } = config
  if (!connectionString?.includes('options=')) return { ...config, options: settings }
  // Those of a connection string go before all others, and the last of them counts.
  return { ...config, connectionString: `${connectionString}&options=${encodeURIComponent(settings)}` }
}

function isPool(source: ClientConfig | Pool): source is Pool {
  return 'options' in source && typeof source.options === 'object'
}
