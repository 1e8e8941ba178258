import type { Client, Pool } from 'pg'
import { sqlState } from './error-class.js'
import { poolConfig } from './pool-config.js'

/** What pg has of a client beyond its types. */
export interface PgClient {
  /** The backend's process, as the server said when it connected; null before. */
  readonly processID: number | null
  readonly connection: { readonly stream: { readonly remoteAddress?: string; destroy(): void } }
}

/** How long (milliseconds) an answer may take before somebody looks whether it will ever come. */
const patience = 500

/** How often open questions are looked at, and how long an answer that is on its way may take to arrive. */
const period = 250

/** How long a look may take, and how many may be under way: one that meets the same dead network holds up no other. */
const lookLimit = 1_000
const mostLooks = lookLimit / period

/** How long (milliseconds) a server that refused a look is left alone. */
const refusedPause = 5_000

/** What a server says of its backends. */
interface Backends {
  /** The server's address: of a connection to another (a pool over several hosts) it knows nothing. */
  readonly asked: string | undefined
  /** pg_stat_activity.state by pid. */
  readonly states: ReadonlyMap<number, string | null>
}

/** What pg keeps out of its types. */
export function asPgClient(client: object): PgClient {
  return client as PgClient // every client of pg has them
}

/** Something the server was asked, and has not answered. */
interface Question {
  readonly client: PgClient
  readonly askedAt: number
  /** When (monotonic milliseconds) to look after it next. */
  due: number
  /** Its statement was seen at work. */
  atWork: boolean
}

/**
 * Feels the liveness of connections that owe an answer. One that was cut off without a word never gives it, and looks like
 * one whose statement is slow; the server knows the difference. It is asked over a fresh connection: a backend that is
 * idle while we wait for it, or gone, will not answer any more. That connection is closed, and all that rest;
 * the pool makes new ones. A statement at work is left alone, as is everything behind a pooler, where
 * backends can't be told apart.
 */
export class LivenessCheck {
  readonly #pool: Pool
  readonly #Client: typeof Client
  readonly #open = new Map<PgClient, Question>()
  /** When (monotonic milliseconds) each connection at rest was last heard of. */
  readonly #idle = new Map<PgClient, number>()
  #timer: ReturnType<typeof setInterval> | undefined
  #looks = 0
  /** The last look found nobody to ask: a pool that ends need not wait for an answer. */
  #unreachable = false

  /** @param connect the pool's own class of clients, unguarded */
  constructor(pool: Pool, connect: typeof Client) {
    this.#pool = pool
    this.#Client = connect
  }

  /** A client begins to connect, or a query is sent. */
  asked(client: PgClient): void {
    const now = performance.now()
    this.#open.set(client, { client, askedAt: now, due: now + patience, atWork: false })
    this.#timer ??= setInterval(() => void this.#look(), period).unref()
  }

  answered(client: PgClient): void {
    this.#open.delete(client)
    if (this.#open.size > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  rests(client: PgClient): void {
    this.#idle.set(client, performance.now())
  }

  /** It is in use, or gone. */
  restsNoMore(client: PgClient): void {
    this.#idle.delete(client)
  }

  async #look(): Promise<void> {
    const now = performance.now()
    const { ending } = this.#pool
    const due = [...this.#open.values()].filter((question) => question.due <= now || (ending && !question.atWork))
    if (due.length === 0 || this.#looks >= mostLooks) return
    if (ending && this.#unreachable) return this.#closeAll(due)
    this.#looks += 1
    try {
      const backends = await this.#backends(due)
      this.#unreachable = false
      if (backends !== undefined) this.#judge(due, backends)
    } catch (error) {
      this.#unreachable = sqlState(error) === undefined
      // A server that refuses is there, and has enough to do.
      if (!this.#unreachable) for (const question of due) question.due = now + refusedPause
    } finally {
      this.#looks -= 1
    }
  }

  /** What the backends do; undefined where it can't be told, behind a pooler. */
  async #backends(due: readonly Question[]): Promise<Backends | undefined> {
    const limit = this.#pool.ending ? lookLimit / 2 : lookLimit
    const limits = { connectionTimeoutMillis: limit, query_timeout: limit }
    const client = new this.#Client({ ...poolConfig(this.#pool), ...limits })
    client.on('error', () => {}) // the query's own rejection says it
    try {
      await client.connect()
      const pids = due.flatMap(({ client: { processID } }) => processID ?? [])
      const { rows } = await client.query(
        'select pid, state, pid = pg_backend_pid() as own from pg_stat_activity where pid = any($1) or pid = pg_backend_pid()',
        [pids],
      )
      const own = rows.find((row) => row.own)
      if (own?.pid !== Reflect.get(client, 'processID')) return undefined
      return {
        asked: asPgClient(client).connection.stream.remoteAddress,
        states: new Map(rows.map(({ pid, state }) => [pid, state])),
      }
    } finally {
      client.end().catch(() => {})
    }
  }

  #judge(due: readonly Question[], { asked, states }: Backends): void {
    const lost: Question[] = []
    for (const question of due) {
      const { processID, connection } = question.client
      const elsewhere = processID !== null && connection.stream.remoteAddress !== asked
      const state = processID === null ? undefined : states.get(processID)
      if (!elsewhere && (state === undefined || state?.startsWith('idle'))) lost.push(question)
      else {
        question.atWork = true
        question.due = performance.now() + (performance.now() - question.askedAt) // when it is twice as old
      }
    }
    if (lost.length > 0) setTimeout(() => this.#giveUp(lost), period).unref()
  }

  /**
   * Those whose answer did not arrive after all, and with them all that rest and have not been heard of just now: to
   * connect again costs little, to ask one more that is dead as long again.
   */
  #giveUp(lost: readonly Question[]): void {
    const still = lost.filter((question) => this.#open.get(question.client) === question)
    if (still.length === 0) return
    this.#closeAll(still)
    for (const question of this.#open.values()) if (!question.atWork) question.due = 0 // they need no patience any more
    const recently = performance.now() - period
    for (const [client, heardAt] of this.#idle) if (heardAt <= recently) client.connection.stream.destroy()
  }

  /** Their queries, or their connecting, reject at once. */
  #closeAll(questions: readonly Question[]): void {
    for (const { client } of questions) client.connection.stream.destroy()
  }
}
