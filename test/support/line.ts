import type { Socket } from 'node:net'
import {
  applicationName,
  isReadyForQuery,
  MessageReader,
  notifiedChannel,
  StatementReader,
  simpleQuery,
} from './wire.ts'

/** Which way bytes go: `up` to the server, `down` to the client. */
export type Way = 'up' | 'down'

/** What a client says when it connects, in place of a statement. */
export const connecting = 'connect'

/**
 * Whether a statement is the one at which something is to happen. A new connection counts as the statement `connect`, a
 * notification as `notification on <channel>`.
 *
 * @param before what the same connection said last
 * @param application the client's application_name
 */
export type Matches = (statement: string, before: string, application: string) => boolean

/**
 * Moments of an exchange:
 * - asking: the statement is on its way, and the server does not have it.
 * - asked: the server has it, and nothing of the answer has reached the client.
 * - answering: the server has done it; the client does not know.
 * - answered: the client has the whole answer.
 */
export type Moment = 'asking' | 'asked' | 'answering' | 'answered'

/** Waits for a statement and a moment of it; then it is gone. */
export interface Trap {
  readonly moment: Moment
  readonly matches: Matches
  sprung(line: Line): void
}

/** What the network does to all connections at present. */
export class Weather {
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
export class Line {
  readonly client: Socket
  readonly server: Socket
  readonly #weather: Weather
  readonly #silent = new Set<Way>()
  #held: [to: Socket, bytes: Buffer][] = []
  readonly #asked = new MessageReader('client')
  readonly #statements = new StatementReader()
  readonly #answered = new MessageReader('server')
  #said = ''
  #application = ''
  #frozen = false
  /** It is sprung by the answer to what was asked last. */
  #trap: Trap | undefined
  /** Something was said in the client's name; the answer is not for it. */
  #answeredBehindItsBack: (() => void) | undefined

  constructor(client: Socket, server: Socket, weather: Weather) {
    this.client = client
    this.server = server
    this.#weather = weather
    client.on('data', (bytes) => this.#up(bytes))
    server.on('data', (bytes) => this.#down(bytes))
    client.on('error', () => {}).on('close', () => this.#holds || server.destroy())
    server.on('error', () => {}).on('close', () => this.#silent.has('down') || this.#frozen || client.destroy())
  }

  cut(): void {
    this.#frozen = false
    this.#held = []
    this.client.destroy()
    this.server.destroy()
  }

  /** Keeps every byte until it thaws. */
  freeze(): void {
    this.#frozen = true
  }

  /** What was kept arrives, also where its sender has hung up meanwhile: so does the rest of a closed connection. */
  thaw(): void {
    this.#frozen = false
    this.flush()
    if (this.client.destroyed) this.server.end()
    if (this.server.destroyed) this.client.end()
  }

  get isSilent(): boolean {
    return this.#silent.size > 0
  }

  halfOpen(): void {
    this.#silent.add('up').add('down')
    this.server.destroy()
  }

  says(matches: Matches): boolean {
    return matches(this.#said, '', this.#application)
  }

  say(statement: string): Promise<void> {
    this.server.write(simpleQuery(statement))
    return new Promise((resolve) => {
      this.#answeredBehindItsBack = resolve
    })
  }

  flush(count = Number.POSITIVE_INFINITY): void {
    for (const [to, bytes] of this.#held.splice(0, count)) if (!to.destroyed) to.write(bytes)
  }

  get #holds(): boolean {
    return this.#frozen || this.#weather.holding
  }

  #up(bytes: Buffer): void {
    for (const message of this.#asked.read(bytes)) {
      this.#application ||= applicationName(message) ?? ''
      const statement = message.type === '' ? connecting : this.#statements.read(message)
      if (statement === undefined) continue
      const trap = this.#trapFor(statement)
      this.#said = statement
      if (trap === undefined) continue
      if (trap.moment === 'asking') trap.sprung(this)
      else this.#trap = trap
    }
    this.#pass('up', this.server, bytes)
    if (this.#trap?.moment === 'asked') this.#spring(this.#trap)
  }

  #down(bytes: Buffer): void {
    const messages = this.#answered.read(bytes)
    const isAnswer = messages.some(isReadyForQuery)
    if (this.#answeredBehindItsBack !== undefined) {
      if (!isAnswer) return
      this.#answeredBehindItsBack()
      this.#answeredBehindItsBack = undefined
      return
    }
    const notice = messages.map(notifiedChannel).find((channel) => channel !== undefined)
    const trap =
      (isAnswer ? this.#trap : undefined) ??
      (notice === undefined ? undefined : this.#trapFor(`notification on ${notice}`))
    if (trap?.moment === 'answering') this.#spring(trap)
    // Nothing of an answer arrives before it is known what comes of it; but one that connects has to hear questions.
    const waits = this.#trap?.moment === 'answering' && this.#said !== connecting
    if (waits) this.#held.push([this.client, bytes])
    else this.#pass('down', this.client, bytes)
    if (trap?.moment === 'answered') this.#spring(trap)
  }

  #trapFor(statement: string): Trap | undefined {
    const trap = [...this.#weather.traps].find(({ matches }) => matches(statement, this.#said, this.#application))
    if (trap !== undefined) this.#weather.traps.delete(trap)
    return trap
  }

  #spring(trap: Trap): void {
    this.#trap = undefined
    trap.sprung(this)
  }

  #pass(way: Way, to: Socket, bytes: Buffer): void {
    const { swallowed, delay } = this.#weather
    if (swallowed.includes(way)) this.#silent.add(way)
    if (this.#silent.has(way)) return
    if (this.#holds || delay > 0) this.#held.push([to, bytes])
    else if (!to.destroyed) to.write(bytes)
    if (delay > 0) setTimeout(() => this.flush(1), delay) // the oldest that is held: none overtakes another
  }
}
