import type { Socket } from 'node:net'
import { type Message, MessageReader, written } from '../wire.ts'
import { tellingCode } from './catalog.ts'
import type { Spread } from './operators.ts'
import { isSpreadInsert, type Known, type Refusal, refusalOf } from './refusals.ts'
import { statementsOf } from './tokens.ts'

/** What every client and all tables have in common. */
export interface Shared extends Known {
  readonly distributed: Map<string, Spread>
  /** What was refused, with the reason. */
  readonly refused: { readonly statement: string; readonly message: string }[]
}

/** In place of a statement that is refused: the server takes it for no SQL, and its answer becomes the refusal. */
const placeholder = 'KYSELY_JOBS_STRICT_'
const protocol = 196_608

/** What is longer inserts thousands of rows, of which nothing is refused. */
const longest = 50_000

/** One connection: statements go up as they are, or as the placeholder of a refusal. */
export class StrictLine {
  readonly #client: Socket
  readonly #server: Socket
  readonly #shared: Shared
  readonly #asked = new MessageReader('client')
  readonly #answered = new MessageReader('server')
  readonly #refusals: Refusal[] = []
  /** Whether statements answer in the order of nodes; those that are prepared by their names. */
  readonly #spread = new Map<string, boolean>()
  #isSpread = false
  /** Rows that are kept back until the last has come. */
  #rows: Message[] = []
  /** It asks for TLS, or for a cancel: there is nothing to read. */
  #isRaw = false

  constructor(client: Socket, server: Socket, shared: Shared) {
    this.#client = client
    this.#server = server
    this.#shared = shared
    for (const socket of [client, server]) socket.setNoDelay() // small messages wait for each other else
    client.on('data', (bytes) => this.#up(bytes))
    server.on('data', (bytes) => this.#down(bytes))
    client.on('error', () => {}).on('close', () => server.destroy())
    server.on('error', () => {}).on('close', () => client.destroy())
  }

  close(): void {
    this.#client.destroy()
    this.#server.destroy()
  }

  #up(bytes: Buffer): void {
    if (this.#isRaw) {
      this.#server.write(bytes)
      return
    }
    const messages = this.#asked.read(bytes)
    this.#isRaw = messages.some(({ type, body }) => type === '' && body.readInt32BE(0) !== protocol)
    this.#server.write(Buffer.concat(messages.map((message) => written(this.#checked(message)))))
  }

  #checked(message: Message): Message {
    const [first = '', second = ''] = 'QPB'.includes(message.type) ? message.body.toString('utf8').split('\0') : []
    if (message.type === 'B') this.#isSpread = this.#spread.get(second) ?? false
    if (message.type !== 'Q' && message.type !== 'P') return message
    const statement = message.type === 'Q' ? first : second
    this.#isSpread = isSpreadInsert(statement, this.#shared)
    if (message.type === 'P') this.#spread.set(first, this.#isSpread)
    const refusal = this.#refusalOf(statement)
    if (refusal === undefined) return message
    this.#shared.refused.push({ statement, message: refusal.message })
    const refused = `${placeholder}${this.#refusals.push(refusal) - 1}`
    // A statement that is prepared has its name before it, and the types of its parameters behind it, of which none is sent.
    const text = message.type === 'Q' ? `${refused}\0` : `${first}\0${refused}\0\0\0`
    return { type: message.type, body: Buffer.from(text) }
  }

  #refusalOf(text: string): Refusal | undefined {
    if (this.#shared.distributed.size === 0 || text.length > longest) return undefined
    for (const items of statementsOf(text)) {
      const refusal = refusalOf(items, this.#shared)
      if (refusal !== undefined) return refusal
    }
    return undefined
  }

  #down(bytes: Buffer): void {
    if (this.#isRaw) {
      this.#client.write(bytes)
      return
    }
    const told = this.#answered.read(bytes).flatMap((message) => this.#ordered(message))
    this.#client.write(Buffer.concat(told.map(written)))
  }

  /** Rows of several nodes come in the order of the nodes: here backwards. */
  #ordered(message: Message): Message[] {
    if (this.#isSpread && message.type === 'D') {
      this.#rows.unshift(message)
      return []
    }
    const rows = this.#rows.splice(0)
    return [...rows, ...[this.#told(message) ?? []].flat()]
  }

  /** @returns undefined for what is not for the client */
  #told(message: Message): Message | undefined {
    if (message.type !== 'E' && message.type !== 'N') return message
    const fields = fieldsOf(message.body)
    if (message.type === 'N') {
      if (fields.get('C') !== tellingCode) return message
      const { table, gone, ...spread } = JSON.parse(fields.get('M') ?? '')
      if (gone === undefined) this.#shared.distributed.set(table, spread)
      else this.#shared.distributed.delete(gone)
      return undefined
    }
    const [, place] = new RegExp(`"${placeholder}(\\d+)"`, 'i').exec(fields.get('M') ?? '') ?? []
    const refusal = place === undefined ? undefined : this.#refusals[Number(place)]
    if (refusal === undefined) return message
    const said = [
      ['S', 'ERROR'],
      ['V', 'ERROR'],
      ['C', refusal.code],
      ['M', refusal.message],
    ]
    return { type: 'E', body: Buffer.from(`${said.map(([name, value]) => `${name}${value}\0`).join('')}\0`) }
  }
}

function fieldsOf(body: Buffer): Map<string, string> {
  const fields = body
    .toString('utf8')
    .split('\0')
    .filter((field) => field !== '')
  return new Map(fields.map((field) => [field.slice(0, 1), field.slice(1)]))
}
