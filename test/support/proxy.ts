import { connect, createServer, type Socket } from 'node:net'
import { isReadyForQuery, MessageReader, StatementReader, simpleQuery } from './wire.ts'

/** Which way bytes go: `up` to the server, `down` to the client. */
export type Way = 'up' | 'down'

/** Whether a statement is the one to cut at; `before` is what the same connection said last. */
export type Matches = (statement: string, before: string) => boolean

/** A proxy on loopback in front of a database, whose network can fail. What it does holds for new connections too. */
export interface Proxy {
  readonly url: string
  /**
   * Loses every byte, both ways or one, and closes nothing: what a lost route looks like. A connection that lost
   * something stays silent for ever, as behind a router that forgot it.
   */
  swallow(...ways: Way[]): void
  /** Keeps every byte until it heals: what a lost route looks like when it comes back in time. */
  hold(): void
  /** Each byte arrives so many milliseconds late. */
  delay(milliseconds: number): void
  /** All connections lose their server, and nobody tells the clients: a peer that is gone without a word. */
  halfOpen(): void
  /** Bytes pass again, at once. */
  heal(): void
  /** Cuts the connection that brings the next such statement: before the server has it, or when it has answered. */
  cut(moment: 'before' | 'after', matches: Matches): Promise<void>
  /**
   * Says a statement to the server in the name of every client whose last statement matches, and keeps the answer from
   * it: what was done to its session behind its back. Resolves when it is done. The client must be at rest.
   */
  say(statement: string, matches: Matches): Promise<void>
  /** New connections go to another server; those that are open stay where they are. */
  leadTo(url: string): void
  /** Connections open now. */
  readonly connections: number
  /** Those of them that have lost something. */
  readonly silent: number
  close(): void
}

interface Trap {
  readonly moment: 'before' | 'after'
  readonly matches: Matches
  sprung(): void
}

/** What the network does to all connections at present. */
class Weather {
  swallowed: readonly Way[] = []
  holding = false
  delay = 0
  readonly traps = new Set<Trap>()

  heal(): void {
    this.swallowed = []
    this.holding = false
    this.delay = 0
  }
}

/** One connection through the proxy. */
class Line {
  readonly client: Socket
  readonly server: Socket
  readonly #weather: Weather
  readonly #silent = new Set<Way>()
  #held: [to: Socket, bytes: Buffer][] = []
  readonly #asked = new MessageReader('client')
  readonly #statements = new StatementReader()
  readonly #answered = new MessageReader('server')
  #said = ''
  /** Answers are kept from the client until the server is done; then the line is cut. */
  #trap: Trap | undefined
  /** Something was said in the client's name; the answer is not for it. */
  #answeredBehindItsBack: (() => void) | undefined

  constructor(client: Socket, server: Socket, weather: Weather) {
    this.client = client
    this.server = server
    this.#weather = weather
    client.on('data', (bytes) => this.#up(bytes))
    server.on('data', (bytes) => this.#down(bytes))
    client.on('error', () => {}).on('close', () => server.destroy())
    server.on('error', () => {}).on('close', () => this.#silent.has('down') || client.destroy())
  }

  cut(): void {
    this.client.destroy()
    this.server.destroy()
  }

  get isSilent(): boolean {
    return this.#silent.size > 0
  }

  halfOpen(): void {
    this.#silent.add('up').add('down')
    this.server.destroy()
  }

  says(matches: Matches): boolean {
    return matches(this.#said, '')
  }

  say(statement: string): Promise<void> {
    this.server.write(simpleQuery(statement))
    return new Promise((resolve) => {
      this.#answeredBehindItsBack = resolve
    })
  }

  flush(count = Number.POSITIVE_INFINITY): void {
    for (const [to, bytes] of this.#held.splice(0, count)) to.write(bytes)
  }

  #up(bytes: Buffer): void {
    for (const message of this.#asked.read(bytes)) {
      const statement = this.#statements.read(message)
      if (statement === undefined) continue
      const trap = [...this.#weather.traps].find(({ matches }) => matches(statement, this.#said))
      this.#said = statement
      if (trap === undefined) continue
      this.#weather.traps.delete(trap)
      if (trap.moment === 'before') this.#spring(trap)
      else this.#trap = trap
    }
    if (!this.server.destroyed) this.#pass('up', this.server, bytes)
  }

  #down(bytes: Buffer): void {
    const messages = this.#answered.read(bytes)
    if (this.#answeredBehindItsBack !== undefined) {
      if (!messages.some(isReadyForQuery)) return
      this.#answeredBehindItsBack()
      this.#answeredBehindItsBack = undefined
    } else if (this.#trap === undefined) this.#pass('down', this.client, bytes)
    else if (messages.some(isReadyForQuery)) this.#spring(this.#trap)
  }

  #spring(trap: Trap): void {
    this.cut()
    trap.sprung()
  }

  #pass(way: Way, to: Socket, bytes: Buffer): void {
    const { swallowed, holding, delay } = this.#weather
    if (swallowed.includes(way)) this.#silent.add(way)
    if (this.#silent.has(way)) return
    if (holding || delay > 0) this.#held.push([to, bytes])
    else to.write(bytes)
    if (delay > 0) setTimeout(() => this.flush(1), delay) // the oldest that is held: none overtakes another
  }
}

export async function startProxy(url: string): Promise<Proxy> {
  let target = new URL(url)
  const lines = new Set<Line>()
  const weather = new Weather()
  const server = createServer((client) => {
    const line = new Line(client, connect(Number(target.port), target.hostname), weather)
    lines.add(line)
    client.on('close', () => lines.delete(line))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const through = new URL(url)
  through.hostname = '127.0.0.1'
  through.port = String((server.address() as { port: number }).port)
  return {
    url: through.href,
    swallow: (...ways) => {
      weather.swallowed = ways.length > 0 ? ways : ['up', 'down']
    },
    hold: () => {
      weather.holding = true
    },
    delay: (milliseconds) => {
      weather.delay = milliseconds
    },
    halfOpen: () => {
      for (const line of lines) line.halfOpen()
    },
    heal: () => {
      weather.heal()
      for (const line of lines) line.flush()
    },
    cut: (moment, matches) => new Promise((resolve) => weather.traps.add({ moment, matches, sprung: resolve })),
    say: async (statement, matches) => {
      await Promise.all([...lines].filter((line) => line.says(matches)).map((line) => line.say(statement)))
    },
    leadTo: (url) => {
      target = new URL(url)
    },
    get connections() {
      return lines.size
    },
    get silent() {
      return [...lines].filter(({ isSilent }) => isSilent).length
    },
    close: () => {
      for (const line of lines) line.cut()
      server.close()
    },
  }
}
