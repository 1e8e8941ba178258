import { connect, createServer } from 'node:net'
import { Line, type Matches, type Trap, type Way, Weather } from './line.ts'

export { connecting, type Line, type Matches, type Moment, type Way } from './line.ts'

/** A proxy on loopback in front of a database, whose network can fail. What it does holds for new connections too. */
export interface Proxy {
  readonly url: string
  /**
   * Loses every byte, both ways or one, and closes nothing: what a lost route looks like. A connection that lost
   * something stays silent for ever, as behind a router that forgot it.
   */
  swallow(...ways: Way[]): void
  /**
   * Keeps every byte until it heals: what a lost route looks like when it comes back in time. What was sent arrives then,
   * also where its sender has hung up meanwhile.
   */
  hold(): void
  /** Each byte arrives so many milliseconds late. */
  delay(milliseconds: number): void
  /** All connections lose their server, and nobody tells the clients: a peer that is gone without a word. */
  halfOpen(): void
  /** Bytes pass again, at once. */
  heal(): void
  /** Cuts the connection that brings the next such statement: before the server has it, or when it has answered. */
  cut(moment: 'before' | 'after', matches: Matches): Promise<void>
  /** Calls back at a moment of the next statement that matches, with the connection that brings it: once. */
  trap(trap: Trap): void
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

export async function startProxy(url: string): Promise<Proxy> {
  let target = new URL(url)
  const lines = new Set<Line>()
  const weather = new Weather()
  const server = createServer((client) => {
    const line = new Line(client, connect(Number(target.port), target.hostname), weather)
    lines.add(line)
    for (const socket of [line.client, line.server])
      socket.on('close', () => line.client.destroyed && line.server.destroyed && lines.delete(line))
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
      for (const line of lines) line.thaw()
    },
    cut: (moment, matches) =>
      new Promise((resolve) => {
        const sprung = (line: Line) => {
          line.cut()
          resolve()
        }
        weather.traps.add({ moment: moment === 'before' ? 'asking' : 'answering', matches, sprung })
      }),
    trap: (trap) => void weather.traps.add(trap),
    say: async (statement, matches) => {
      await Promise.all([...lines].filter((line) => line.says(matches)).map((line) => line.say(statement)))
    },
    leadTo: (url) => {
      target = new URL(url)
    },
    get connections() {
      return [...lines].filter(({ client }) => !client.destroyed).length
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
