import { setTimeout as sleep } from 'node:timers/promises'
import type { Client, Pool } from 'pg'
import {
  type Activity,
  activities,
  asPgClient,
  type Backend,
  backendOf,
  type PgClient,
  type Stream,
} from './backend.js'
import { poolConfig } from './pool-config.js'

/** How long (milliseconds) an answer's first byte may take before the server is asked; longer for a long question. */
const patience = 500
/** Bytes a millisecond: of links that are slower, a long question is given up to its own deadline. */
const slowestLink = 8

/** How often open questions are looked at, and how much longer than ours an answer that is on its way may take to arrive. */
const period = 250
const onItsWay = 100

/**
 * How long (milliseconds) the server may take: to answer anything at all, and to log us in and answer a query; the
 * latter longer where it has just answered, as a busy server does slowly.
 */
const reachLimit = 500
const lookLimit = 1_000
const busyLookLimit = 3_000

/** The longest wait (milliseconds) between two looks that closed nothing. */
const longestPause = 10_000

interface Watched {
  readonly client: PgClient
  /** The plain socket: TLS replaces the client's own stream. */
  readonly socket: Stream
  /** Undefined as long as it is not known, and where nobody tells it. */
  backend?: Backend | undefined
}

/** Something that is to be answered: a login or a query. */
export interface Question {
  readonly of: Watched
  readonly askedAt: number
  readonly bytesRead: number
  readonly bytesWritten: number
}

/**
 * Finds connections that were cut off without a word. Such a connection looks like one whose statement is slow; the
 * server knows the difference. It is asked over one more connection, by the backend's own identity: a backend that is
 * gone, or has been idle while the first byte of its answer is due, will not answer any more, and its connection is
 * closed. So is one that logs in since before nobody could reach the server, where now a look does. Nothing else is: not a connection on which bytes arrive, nor one behind a pooler, nor one to another server
 * than the one that is asked. Those have their deadlines.
 */
export class LivenessCheck {
  readonly #pool: Pool
  readonly #Client: typeof Client
  readonly #watched = new Map<object, Watched>()
  readonly #open = new Set<Question>()
  #timer: ReturnType<typeof setInterval> | undefined
  #isBusy = false
  /** When (monotonic milliseconds) the server may be asked again, and the wait that this came from. */
  #nextLook = 0
  #pause = period
  /** The last look got no answer; and when (monotonic) a look, or a question whether anything answers, last got none. */
  #isUnanswered = false
  #unansweredAt = Number.NEGATIVE_INFINITY

  /** @param connect the pool's own class of clients, unguarded */
  constructor(pool: Pool, connect: typeof Client) {
    this.#pool = pool
    this.#Client = connect
  }

  watch(client: object): void {
    const pgClient = asPgClient(client)
    this.#watched.set(client, { client: pgClient, socket: pgClient.connection.stream })
  }

  forget(client: object): void {
    this.#watched.delete(client)
  }

  /** Tells who answers a client; only then it may be closed. */
  isAnsweredBy(client: object, backend: Backend | undefined): void {
    const watched = this.#watched.get(client)
    if (watched !== undefined) watched.backend = backend
  }

  /** Whether a client's session is one of the server, and not of a pooler. */
  isDirect(client: object): boolean {
    return this.#watched.get(client)?.backend !== undefined
  }

  /** A client begins to connect, or is about to send a query. */
  asked(client: object): Question | undefined {
    const of = this.#watched.get(client)
    if (of === undefined) return undefined
    const { bytesRead = Number.NaN, bytesWritten = Number.NaN } = of.socket
    const question = { of, askedAt: performance.now(), bytesRead, bytesWritten }
    this.#open.add(question)
    this.#timer ??= setInterval(() => void this.#check(), period).unref()
    return question
  }

  answered(question: Question | undefined): void {
    if (question !== undefined) this.#open.delete(question)
    if (this.#open.size > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  /** A login only where the server did not answer others either: it was lost, and has but its own deadline. */
  #isOverdue(question: Question, now: number): boolean {
    const { of, askedAt, bytesWritten } = question
    const written = (of.socket.bytesWritten ?? Number.NaN) - bytesWritten
    const mayBeLost = of.backend !== undefined || this.#isUnanswered
    return mayBeLost && isSilent(question) && now - askedAt > patience + written / slowestLink
  }

  /** One at a time, so that there is never more than one connection of its own. */
  async #check(): Promise<void> {
    if (this.#isBusy) return
    const { ending } = this.#pool
    const now = performance.now()
    const overdue = now < this.#nextLook ? [] : [...this.#open].filter((question) => this.#isOverdue(question, now))
    if (overdue.length === 0 && !ending) return
    this.#isBusy = true
    try {
      const isReachable = !(ending || this.#isUnanswered) || (await this.#reach())
      if (!isReachable) this.#unansweredAt = performance.now()
      // A pool that ends does not wait for a server that can't be reached.
      if (!isReachable && ending) this.#close([...this.#open])
      if (isReachable && overdue.length > 0) await this.#look(overdue)
    } finally {
      this.#isBusy = false
    }
  }

  /** A look that closes something may be followed by another soon; any other by one that waits twice as long. */
  async #look(overdue: readonly Question[]): Promise<void> {
    const calm = performance.now() > this.#nextLook + this.#pause
    const longer = calm ? period : Math.min(longestPause, this.#pause * 2)
    try {
      const closed = await this.#closeLost(overdue)
      this.#isUnanswered = false
      this.#pause = closed > 0 ? period : longer
    } catch {
      this.#pause = this.#isUnanswered ? Math.max(longer, 2 * lookLimit) : period
      this.#isUnanswered = true
      this.#unansweredAt = performance.now()
    }
    this.#nextLook = performance.now() + this.#pause
  }

  /**
   * Whether anything answers at the server's address: every server and pooler answers at once whether it speaks TLS,
   * while a login may hang, and one that was given up stays with the server until its own time-out.
   */
  #reach(): Promise<boolean> {
    const { connection, host, port } = asPgClient(new this.#Client(poolConfig(this.#pool)))
    const { stream } = connection
    return new Promise((resolve) => {
      const end = (answered: boolean) => {
        clearTimeout(timer)
        stream.destroy()
        resolve(answered)
      }
      const timer = setTimeout(end, reachLimit, false)
      stream.once('data', () => end(true))
      stream.once('close', () => end(false))
      connection.on('error', () => {})
      connection.once('connect', () => connection.requestSsl())
      connection.connect(host.startsWith('/') ? `${host}/.s.PGSQL.${port}` : port, host)
    })
  }

  /** Closes what will not be answered, and connections at rest whose backend is gone. @returns how many */
  async #closeLost(overdue: readonly Question[]): Promise<number> {
    const application_name = 'kysely-jobs liveness check'
    const client = new this.#Client({ ...poolConfig(this.#pool), connectionTimeoutMillis: 0, application_name })
    client.on('error', () => {}) // what it was asked rejects
    const allowed = this.#isUnanswered ? busyLookLimit : lookLimit
    const limit = setTimeout(() => asPgClient(client).connection.stream.destroy(), allowed).unref()
    try {
      await client.connect()
      const server = (await backendOf(client))?.server
      const known = [...this.#watched.values()].filter(({ backend }) => backend !== undefined)
      const same = known.filter(({ backend }) => backend?.server === server)
      const areAllSame = server !== undefined && same.length === known.length
      const pids = same.flatMap(({ backend }) => backend?.pid ?? [])
      const found = await activities(client, pids)
      const rowOf = ({ backend }: Watched) => found.get(backend?.pid ?? '')
      const gone = new Set(same.filter((watched) => isGone(watched, rowOf(watched))))
      const unanswerable = overdue.filter(({ of, askedAt }) => {
        if (of.backend === undefined) return areAllSame && askedAt < this.#unansweredAt
        return same.includes(of) && !gone.has(of) && rowOf(of)?.state.startsWith('idle')
      })
      clearTimeout(limit)
      if (gone.size + unanswerable.length === 0) return 0
      await sleep(onItsWay, undefined, { ref: false }) // what was sent before may be on its way
      return this.#close(unanswerable) + this.#closeGone(gone)
    } finally {
      client.end().catch(() => {})
    }
  }

  /** Closes the connections of questions that are still without a single byte of their answer. */
  #close(questions: readonly Question[]): number {
    const silent = questions.filter((question) => this.#open.has(question) && isSilent(question))
    for (const { of } of silent) of.client.connection.stream.destroy() // queries and logins reject at once
    return silent.length
  }

  #closeGone(gone: ReadonlySet<Watched>): number {
    const heard = new Set([...this.#open].filter((question) => !isSilent(question)).map(({ of }) => of))
    const lost = [...gone].filter((watched) => !heard.has(watched))
    for (const { client } of lost) client.connection.stream.destroy()
    return lost.length
  }
}

/** Its process id is nobody's any more, or somebody else's. Who may not see when that one began can't tell. */
function isGone({ backend }: Watched, row: Activity | undefined): boolean {
  return row === undefined || (row.since !== null && row.since !== backend?.since)
}

function isSilent({ of, bytesRead }: Question): boolean {
  return of.socket.bytesRead === bytesRead
}
