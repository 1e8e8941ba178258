import type { DialectAdapter, Kysely } from 'kysely'
import type { Notice } from '../predicates/notice.js'
import { Listener, type ListenSource } from './listener.js'
import { Pause } from './pause.js'
import { Probe, type ProbeDatabase, type Sending } from './probe.js'
import { after, type Timer } from './timer.js'

/**
 * - connecting: there is no connection, or it has not proven itself yet.
 * - listening: LISTEN took effect and a probe came back.
 * - deaf: connected, but probes do not come back: a transaction-mode pooler, a standby, another database.
 * - closed: by its user.
 */
export type ListenerState = 'connecting' | 'listening' | 'deaf' | 'closed'

export interface SubscriptionHooks {
  notified(payload: string): void
  /** After `listening` what was notified before may have been missed: sweep. */
  changed(state: ListenerState, reason?: Error): void
}

export interface Subscription {
  readonly state: ListenerState
  /** Runs a statement that goes anyway. Where a probe is due it is to notify the notice too, which saves a statement. */
  carry<Answer>(statement: (notice?: Notice) => Promise<Answer>): Promise<Answer>
  /** Ends it; the last one out closes the connection. */
  close(): Promise<void>
}

/** Milliseconds; tests shorten them. */
export interface ProbeTimes {
  /** Between probes: so long, where a statement can carry one; at most twice as long. */
  readonly period: number
  readonly patience: number
}

const probeTimes: ProbeTimes = { period: 15_000, patience: 5_000 }

type Database = ProbeDatabase & Pick<Kysely<unknown>, 'getExecutor'>

const listeners = new WeakMap<DialectAdapter, Map<ListenSource, SharedListener>>()

/** The one listener that all workers of a process share, as far as they use one database and listen to one source. */
export function sharedListener(db: Database, source: ListenSource, times = probeTimes): SharedListener {
  const { adapter } = db.getExecutor()
  const ofDatabase = listeners.get(adapter) ?? new Map<ListenSource, SharedListener>()
  listeners.set(adapter, ofDatabase)
  const found = ofDatabase.get(source)
  if (found !== undefined) return found
  const made = new SharedListener(db, source, times, () => ofDatabase.delete(source))
  ofDatabase.set(source, made)
  return made
}

interface Subscriber {
  readonly channel: string
  readonly hooks: SubscriptionHooks
  state: ListenerState
  /** The message of what ended its last connection. */
  reason: string | undefined
}

/** Two probes in a row that do not come back are no accident. */
const missesUntilDeaf = 2

/** The loss of a connection that still looked healthy. */
class DeafListenerError extends Error {
  override readonly name = 'DeafListenerError'
  readonly code = 'DEAF_LISTENER'
}

/** Keeps one connection listening for any number of subscriptions; whatever happens to it, a new one is built. */
class SharedListener {
  readonly #source: ListenSource
  readonly #probe: Probe
  readonly #times: ProbeTimes
  readonly #forget: () => void
  readonly #subscribers = new Set<Subscriber>()
  readonly #pause = new Pause()
  #listener: Listener | undefined
  #running: Promise<void> | undefined
  #lose: (reason: Error) => void = () => {}
  #probing: Timer | undefined
  /** When (monotonic milliseconds) the next probe may go; none while one is under way. */
  #probeDue = Number.POSITIVE_INFINITY

  constructor(db: ProbeDatabase, source: ListenSource, times: ProbeTimes, forget: () => void) {
    this.#source = source
    this.#times = times
    this.#probe = new Probe(db, times.patience)
    this.#forget = forget
  }

  /** Begins to listen on a channel. Never fails: what goes wrong is told by `changed`, and tried again for ever. */
  subscribe(channel: string, hooks: SubscriptionHooks): Subscription {
    const subscriber: Subscriber = { channel, hooks, state: 'connecting', reason: undefined }
    this.#subscribers.add(subscriber)
    this.#running ??= this.#run()
    if (this.#proven) this.#listenFor(subscriber)
    return {
      get state() {
        return subscriber.state
      },
      carry: (statement) => this.#carry(statement),
      close: () => this.#unsubscribe(subscriber),
    }
  }

  /** The present connection has proven that it hears. */
  #proven = false

  async #unsubscribe(subscriber: Subscriber): Promise<void> {
    if (!this.#subscribers.delete(subscriber)) return
    tell(subscriber, 'closed')
    if (this.#subscribers.size === 0) {
      this.#forget()
      this.#lose(new Error('Nobody listens any more'))
      this.#pause.end()
      await this.#running
    } else if (![...this.#subscribers].some(({ channel }) => channel === subscriber.channel)) {
      await this.#listener?.unlisten(subscriber.channel).catch(() => {}) // a lost connection listens to nothing
    }
  }

  async #run(): Promise<void> {
    while (this.#subscribers.size > 0) {
      const reason = await this.#listenUntilLost()
      this.#proven = false
      this.#probing?.cancel()
      this.#probeDue = Number.POSITIVE_INFINITY
      this.#probe.end()
      const listener = this.#listener
      this.#listener = undefined
      await listener?.close()
      if (this.#subscribers.size === 0) return
      const state = reason instanceof DeafListenerError ? 'deaf' : 'connecting'
      for (const subscriber of this.#subscribers) tell(subscriber, state, reason)
      await this.#pause.longer(reason)
    }
  }

  /** One connection's life; resolves to what ended it. */
  async #listenUntilLost(): Promise<Error> {
    const lost = new Promise<Error>((resolve) => {
      this.#lose = resolve
    })
    return Promise.race([lost, this.#connect().then(() => lost, asError)])
  }

  async #connect(): Promise<void> {
    const lose = this.#lose
    const listener = await Listener.open(this.#source, {
      lost: lose,
      notified: (channel, payload) => this.#notified(channel, payload),
    })
    if (this.#lose !== lose || this.#subscribers.size === 0) return listener.close() // closed or replaced meanwhile
    this.#listener = listener
    for (const { channel } of [this.#probe, ...this.#subscribers]) await listener.listen(channel)
    await this.#prove()
    if (this.#listener !== listener) return // closed or replaced meanwhile: a timer made now would never be cancelled
    this.#proven = true
    this.#pause.reset()
    for (const subscriber of this.#subscribers) this.#listenFor(subscriber) // at once, but for those that came meanwhile
    this.#probeLater()
  }

  /** Resolves when a probe came back; @throws DeafListenerError after two that did not, with those before */
  async #prove(misses = 0): Promise<void> {
    while (misses < missesUntilDeaf) {
      const result = await this.#probe.send()
      if (result === 'heard' || this.#subscribers.size === 0) return
      if (result === 'unheard') misses += 1
      else await this.#pause.longer()
    }
    throw new DeafListenerError(
      'The listener is deaf: what is notified through the database does not arrive. Is `listen` a transaction-mode pooler, a standby or another database?',
    )
  }

  #probeLater(): void {
    const { period } = this.#times
    this.#probeDue = performance.now() + period
    this.#probing = after(period * (1.5 + Math.random() / 2), () => void this.#probeNow())
  }

  async #probeNow(sending?: Sending): Promise<void> {
    const [listener, lose] = [this.#listener, this.#lose]
    this.#probing?.cancel()
    this.#probeDue = Number.POSITIVE_INFINITY
    try {
      // A database that does not take the probe says nothing about the listener.
      if ((await this.#probe.send(sending)) === 'unheard') await this.#prove(1)
      if (this.#listener === listener) this.#probeLater()
    } catch (error) {
      lose(asError(error))
    }
  }

  #carry<Answer>(statement: (notice?: Notice) => Promise<Answer>): Promise<Answer> {
    if (performance.now() < this.#probeDue) return statement()
    let answer: Promise<Answer> | undefined
    void this.#probeNow((notice) => {
      answer = statement(notice)
      return answer
    })
    return answer ?? statement()
  }

  #listenFor(subscriber: Subscriber): void {
    const lose = this.#lose
    this.#listener?.listen(subscriber.channel).then(() => {
      if (this.#proven && this.#subscribers.has(subscriber)) tell(subscriber, 'listening')
    }, lose)
  }

  #notified(channel: string, payload: string): void {
    if (channel === this.#probe.channel) this.#probe.end()
    for (const subscriber of this.#subscribers) {
      if (subscriber.channel === channel) harmless(() => subscriber.hooks.notified(payload))
    }
  }
}

function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown))
}

function tell(subscriber: Subscriber, state: ListenerState, reason?: Error): void {
  // Once for each reason: while a server is away every try fails alike.
  if (subscriber.state === state && subscriber.reason === reason?.message) return
  subscriber.state = state
  subscriber.reason = reason?.message
  harmless(() => subscriber.hooks.changed(state, reason))
}

/** A hook that throws is its owner's mistake, and hurts no other. */
function harmless(hook: () => void): void {
  try {
    hook()
  } catch {
    // the hooks' owner reports its own errors
  }
}
