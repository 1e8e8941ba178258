/** A message of Postgres' protocol. The client's first has no type, only a length. */
export interface Message {
  readonly type: string
  readonly body: Buffer
}

/** Cuts the bytes of one direction of a connection into messages, however they arrive. */
export class MessageReader {
  #bytes = Buffer.alloc(0)
  #untyped: boolean

  constructor(from: 'client' | 'server') {
    this.#untyped = from === 'client'
  }

  read(bytes: Buffer): Message[] {
    this.#bytes = Buffer.concat([this.#bytes, bytes])
    const messages: Message[] = []
    for (let message = this.#next(); message !== undefined; message = this.#next()) messages.push(message)
    return messages
  }

  #next(): Message | undefined {
    const head = this.#untyped ? 0 : 1
    if (this.#bytes.length < head + 4) return undefined
    const end = head + this.#bytes.readInt32BE(head) // the length counts itself, not the type
    if (this.#bytes.length < end) return undefined
    const message = { type: this.#bytes.toString('latin1', 0, head), body: this.#bytes.subarray(head + 4, end) }
    this.#bytes = this.#bytes.subarray(end)
    this.#untyped = false
    return message
  }
}

/** What a client has run: by simple queries, and by statements that it has had parsed, now or long before, by name. */
export class StatementReader {
  readonly #parsed = new Map<string, string>()

  /** The statement that a message runs. */
  read({ type, body }: Message): string | undefined {
    const [first = '', second = ''] = body.toString('utf8').split('\0', 2)
    if (type === 'P') this.#parsed.set(first, second) // its name, and its text
    if (type === 'B') return this.#parsed.get(second) // the portal, and the statement's name
    return type === 'Q' ? first : undefined
  }
}

/** What a client calls itself in its first message; undefined where it does not, or in any other message. */
export function applicationName({ type, body }: Message): string | undefined {
  if (type !== '') return undefined
  const parameters = body.toString('utf8', 4).split('\0') // after the protocol's version: names and values, in turn
  const place = parameters.findIndex((name, i) => i % 2 === 0 && name === 'application_name')
  return place < 0 ? undefined : parameters[place + 1]
}

/** The channel of a notification; undefined for any other message. */
export function notifiedChannel({ type, body }: Message): string | undefined {
  return type === 'A' ? body.toString('utf8', 4).split('\0', 1)[0] : undefined // after the notifying backend's pid
}

/** What a client sends to have a statement run, all in one message. */
export function simpleQuery(statement: string): Buffer {
  const text = Buffer.from(`${statement}\0`)
  const head = Buffer.from('Q\0\0\0\0')
  head.writeInt32BE(text.length + 4, 1) // the length counts itself, not the type
  return Buffer.concat([head, text])
}

/** The server has answered all that it was asked, and what it did is committed. */
export function isReadyForQuery({ type }: Message): boolean {
  return type === 'Z'
}

/** A message as it goes over the wire. */
export function written({ type, body }: Message): Buffer {
  const head = Buffer.alloc(type.length + 4)
  head.write(type, 'latin1')
  head.writeInt32BE(body.length + 4, type.length) // the length counts itself, not the type
  return Buffer.concat([head, body])
}
