import { createServer, type Socket } from 'node:net'
import { PGlite } from '@electric-sql/pglite'
import { type Message, MessageReader, written } from './wire.js'

/** Postgres as a module of this process: one session, which all connections share in turn. */
export interface PgliteServer {
  readonly url: string
  stop(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** Starts one, empty, in memory, on a free port of 127.0.0.1. */
export async function startPglite(): Promise<PgliteServer> {
  const database = await PGlite.create()
  const session = new Session(database)
  const server = createServer((socket) => new Line(socket, session))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  const stop = async () => {
    session.close()
    server.close()
    await database.close()
  }
  return { url: `postgres://postgres@127.0.0.1:${port}/postgres`, stop, [Symbol.asyncDispose]: stop }
}

/** The one session: who has begun a transaction has it until its end. */
class Session {
  readonly #database: PGlite
  readonly #lines = new Set<Line>()
  #owner: Line | undefined
  #turn = Promise.resolve()
  #free = Promise.withResolvers<void>()

  constructor(database: PGlite) {
    this.#database = database
  }

  add(line: Line): void {
    this.#lines.add(line)
  }

  /** Runs what a connection sends up to a sync, when it is its turn. */
  run(line: Line, bytes: Buffer): Promise<void> {
    if (this.#owner === line) return this.#send(line, bytes)
    this.#turn = this.#turn.then(async () => {
      while (this.#owner !== undefined) await this.#free.promise
      await this.#send(line, bytes)
    })
    return this.#turn
  }

  async #send(line: Line, bytes: Buffer): Promise<void> {
    const answer = new MessageReader('server').read(Buffer.from(await this.#database.execProtocolRaw(bytes)))
    const status = answer.findLast(({ type }) => type === 'Z')?.body.toString('latin1')
    const [notices, rest] = [answer.filter(({ type }) => type === 'A'), answer.filter(({ type }) => type !== 'A')]
    for (const to of notices.length > 0 ? this.#lines : []) to.tell(notices)
    line.tell(rest)
    if (status === 'I') this.#release()
    else if (status !== undefined) this.#owner = line
  }

  #release(): void {
    this.#owner = undefined
    this.#free.resolve()
    this.#free = Promise.withResolvers<void>()
  }

  /** A connection has ended, in the middle of a transaction perhaps. */
  async remove(line: Line): Promise<void> {
    this.#lines.delete(line)
    if (this.#owner !== line) return
    await this.#database.exec('rollback')
    this.#release()
  }

  close(): void {
    for (const line of this.#lines) line.close()
  }
}

/** What a client of Postgres hears first: it may come in, who its server is, and that it is ready. */
const welcome: readonly Message[] = [
  { type: 'R', body: Buffer.from([0, 0, 0, 0]) },
  { type: 'S', body: Buffer.from('client_encoding\0UTF8\0') },
  { type: 'K', body: Buffer.alloc(8) },
  { type: 'Z', body: Buffer.from('I') },
]
const protocol = 196_608

class Line {
  readonly #socket: Socket
  readonly #session: Session
  readonly #asked = new MessageReader('client')
  #pending: Buffer[] = []

  constructor(socket: Socket, session: Session) {
    this.#socket = socket
    this.#session = session
    socket.setNoDelay() // small messages wait for each other else
    socket.on('data', (bytes) => this.#read(bytes)).on('error', () => {})
    socket.on('close', () => void session.remove(this))
  }

  #read(bytes: Buffer): void {
    for (const message of this.#asked.read(bytes)) {
      if (message.type === '') this.#enter(message)
      else if (message.type === 'X') this.#socket.end()
      else {
        this.#pending.push(written(message))
        if (message.type === 'Q' || message.type === 'S')
          void this.#session.run(this, Buffer.concat(this.#pending.splice(0)))
      }
    }
  }

  /** It speaks no TLS, and cancels nothing. */
  #enter({ body }: Message): void {
    if (body.readInt32BE(0) !== protocol) {
      this.#socket.end('N')
      return
    }
    this.#session.add(this)
    this.tell(welcome)
  }

  tell(messages: readonly Message[]): void {
    if (this.#socket.writable) this.#socket.write(Buffer.concat(messages.map(written)))
  }

  close(): void {
    this.#socket.destroy()
  }
}
