import { setTimeout as sleep } from 'node:timers/promises'
import type { Client, Pool } from 'pg'
import { asPgClient, type Backend, backendsOf, type PgClient, poolConfig, type Stream } from './backend.js'
import { sqlState } from './error-class.js'

/** How long (milliseconds) an answer's first byte may take before the server is asked; longer for a long question. */
const patience = 500
/** Bytes a millisecond: of links that are slower, a long question is given up to its own deadline. */
const slowestLink = 8

/** How often (milliseconds) open questions are looked at, and how much longer than ours an answer that is on its way may take to arrive. */
const period = 250
const onItsWay = 100
/** The longest wait (milliseconds) between two looks that closed nothing; each is twice the one before, unless none was needed for as long. */
const longestPause = 10_000

/** How long (milliseconds) the server may take: to answer anything at all, and to log us in and answer a query. */
const reachLimit = 500
const lookLimit = 2_000

/** A connection of the pool. Questions are its login, then its queries. */
export interface Watched {
  readonly client: PgClient
  /** The plain socket: TLS replaces the client's own stream. */
  readonly socket: Stream
  /** Undefined until it is known, and where nobody tells it: behind a pooler. */
  backend?: Backend | undefined
  /** Questions without an answer; when (monotonic milliseconds) the first of them was asked, and after how many bytes. */
  open: number
  askedAt: number
  bytesRead: number
  bytesWritten: number
  /** No query may follow on it; and the server refused its last one. */
  isBroken: boolean
  isRefused: boolean
}

/**
 * Finds connections that were cut off without a word. Such a connection looks like one whose statement is slow; the
 * server knows the difference. It is asked over one more connection, by the backend's own identity: a backend that is
 * gone, or has been idle while the first byte of its answer is due, will not answer any more, and its connection is
 * closed. So is one that logs in since before nobody could reach the server, where now a look does. Nothing else is: not
 * a connection on which bytes arrive, nor one behind a pooler, nor one to another server than the one that is asked.
 * Those have their deadlines.
 */
export class LivenessCheck {
  readonly #pool: Pool
  readonly #Client: typeof Client
  readonly #watched = new Set<Watched>()
  #timer: ReturnType<typeof setTimeout> | undefined
  /** When (monotonic milliseconds) the server may be asked again, and the wait that this came from. */
  #nextLook = 0
  #pause = period
  /** When (monotonic milliseconds) a look began that was answered after one was not: until then logins may be lost. */
  #reachableSince = Number.NEGATIVE_INFINITY

  /** @param connect the pool's own class of clients, unguarded */
  constructor(pool: Pool, connect: typeof Client) {
    this.#pool = pool
    this.#Client = connect
  }

  watch(client: Client): Watched {
    const pgClient = asPgClient(client)
    const { stream: socket } = pgClient.connection
    const question = { open: 0, askedAt: 0, bytesRead: 0, bytesWritten: 0 }
    const watched = { client: pgClient, socket, ...question, isBroken: false, isRefused: false }
    this.#watched.add(watched)
    client.once('end', () => this.#watched.delete(watched))
    return watched
  }

  /** It begins to connect, or is about to send a query; whoever calls this counts its answer as well. */
  asked(watched: Watched): void {
    watched.open += 1
    if (watched.open > 1) return
    const { bytesRead = Number.NaN, bytesWritten = 0 } = watched.socket
    Object.assign(watched, { askedAt: performance.now(), bytesRead, bytesWritten })
    this.#wake()
  }

  /** Checks while questions are open, once at a time: so there is never more than one connection of its own. */
  #wake(): void {
    this.#timer ??= setTimeout(async () => {
      await this.#check()
      this.#timer = undefined
      if (this.#waiting().length > 0) this.#wake()
    }, period).unref()
  }

  #waiting(): Watched[] {
    return [...this.#watched].filter(({ open }) => open > 0)
  }

  /** A look that closes something may be followed by another soon; any other by one that waits twice as long. */
  async #check(): Promise<void> {
    const overdue = this.#waiting().filter(isOverdue)
    const lost = overdue.filter((watched) => this.#mayBeLost(watched))
    const begun = performance.now()
    const late = begun - this.#nextLook
    const isDue = lost.length > 0 && late >= 0
    const isEnding = this.#pool.ending && overdue.length > 0
    if (!isDue && !isEnding) return
    const wasAnswered = this.#reachableSince < begun && !isEnding
    if (!wasAnswered && !(await this.#isReachable())) return this.#giveUpAtEnd()
    if (!isDue) return
    this.#pause = late > longestPause ? period : Math.min(longestPause, this.#pause * 2)
    try {
      if (await this.#closeLost(new Set(lost), begun)) this.#pause = period
    } catch (error) {
      this.#reachableSince = Number.POSITIVE_INFINITY
      if (wasAnswered) this.#pause = period
      if (sqlState(error) === undefined) this.#giveUpAtEnd()
    }
    this.#nextLook = performance.now() + this.#pause
  }

  /** A pool that ends does not wait for a server that can't be reached. */
  #giveUpAtEnd(): void {
    if (this.#pool.ending) for (const watched of this.#waiting().filter(isSilent)) close(watched)
  }

  /**
   * Whether anything answers at the server's address: every server and pooler says at once whether it speaks TLS, while
   * a login may hang, and one that was given up stays with the server until its own time-out.
   */
  #isReachable(): Promise<boolean> {
    const { connection, host, port } = asPgClient(new this.#Client(poolConfig(this.#pool)))
    const { stream } = connection
    return new Promise((resolve) => {
      const end = (isReachable: boolean) => {
        clearTimeout(limit)
        stream.destroy()
        resolve(isReachable)
      }
      const limit = setTimeout(end, reachLimit, false)
      stream.once('data', () => end(true))
      stream.once('close', () => end(false))
      connection.on('error', () => {})
      connection.on('connect', () => connection.requestSsl())
      connection.connect(host.startsWith('/') ? `${host}/.s.PGSQL.${port}` : port, host)
    })
  }

  /** A login may be where the server did not answer others either; any other has but its own deadline. */
  #mayBeLost({ backend, askedAt }: Watched): boolean {
    return backend !== undefined || askedAt < this.#reachableSince
  }

  /** Closes what will not be answered, and connections at rest whose backend is gone. @returns whether it closed one */
  async #closeLost(overdue: ReadonlySet<Watched>, begun: number): Promise<boolean> {
    const application_name = 'kysely-jobs liveness check'
    const client = new this.#Client({ ...poolConfig(this.#pool), connectionTimeoutMillis: 0, application_name })
    client.on('error', () => {}) // what it was asked rejects
    const { stream } = asPgClient(client).connection
    const giveUp = () => asPgClient(client).connection.stream.destroy()
    const isBack = this.#reachableSince === Number.POSITIVE_INFINITY // it has just answered
    const unreached = setTimeout(() => isBack || stream.bytesRead !== 0 || giveUp(), reachLimit)
    const limit = setTimeout(giveUp, lookLimit)
    try {
      await client.connect()
      const known = [...this.#watched].filter(({ backend }) => backend !== undefined)
      const found = await backendsOf(client, known.map(processOf))
      clearTimeout(limit)
      if (isBack) this.#reachableSince = begun
      const [{ server } = { server: null }] = found.values()
      const areAllSame = known.every(({ backend }) => backend?.server === server)
      const lost = [...this.#watched].filter((watched) => {
        const { backend } = watched
        if (backend === undefined) return overdue.has(watched) && areAllSame && this.#mayBeLost(watched)
        const now = found.get(processOf(watched))
        const willNotAnswer = isGone(backend, now) || (overdue.has(watched) && now?.state?.startsWith('idle'))
        return willNotAnswer && backend.server === server && isSilent(watched)
      })
      return await closeSilent(lost)
    } finally {
      clearTimeout(limit)
      clearTimeout(unreached)
      client.end().catch(() => {})
    }
  }
}

/** Nothing has come since it was asked. */
function isSilent({ socket, open, bytesRead }: Watched): boolean {
  return open === 0 || socket.bytesRead === bytesRead
}

function isOverdue(watched: Watched): boolean {
  const { socket, askedAt, bytesWritten } = watched
  const allowed = patience + ((socket.bytesWritten ?? 0) - bytesWritten) / slowestLink
  return isSilent(watched) && performance.now() - askedAt > allowed
}

function processOf({ client }: Watched): number {
  return client.processID ?? 0
}

/** Its process id is nobody's any more, or somebody else's. Who may not see when that one began can't tell. */
function isGone(backend: Backend, now: Backend | undefined): boolean {
  return now === undefined || (now.since !== null && now.since !== backend.since)
}

/** Closes those on which nothing arrives: what was sent before may be on its way. @returns whether it closed one */
async function closeSilent(lost: readonly Watched[]): Promise<boolean> {
  if (lost.length === 0) return false
  const before = lost.map(({ socket }) => socket.bytesRead)
  await sleep(onItsWay, undefined, { ref: false })
  const silent = lost.filter(({ socket }, i) => socket.bytesRead === before[i])
  for (const watched of silent) close(watched)
  return silent.length > 0
}

/** Its queries and its login reject at once. */
function close({ client }: Watched): void {
  client.connection.stream.destroy()
}
