import { connect, createServer, type Socket } from 'node:net'

/** A way to one server, or to several in turn, as through a balancer: slow, or leading nowhere. */
export interface Link {
  readonly url: string
  /** Connections that were ever made through it, and that are open now. */
  readonly made: number
  readonly open: number
  /** Of new connections the server answers whether it speaks TLS, and no login. */
  hangLogins(): void
  close(): void
}

export interface LinkOptions {
  /** Each way of each connection; default: as fast as it goes. */
  readonly bytesPerSecond?: number
}

/** How often (milliseconds) a slow link passes something. */
const tick = 20

export async function startLink(urls: readonly string[], { bytesPerSecond = 1e12 }: LinkOptions = {}): Promise<Link> {
  const sockets = new Set<Socket>()
  let [made, hangs] = [0, false]
  const server = createServer((client) => {
    const { hostname, port } = new URL(urls[made % urls.length] ?? '')
    made += 1
    const hanging = hangs
    const target = connect(Number(port), hostname)
    sockets.add(client)
    for (const [from, to] of [
      [client, target],
      [target, client],
    ] as const) {
      const pass = slowly(to, (bytesPerSecond * tick) / 1_000)
      // an SSLRequest is 8 bytes, and a login is longer
      from.on('data', (bytes) => (hanging && from === client && bytes.length > 8 ? undefined : pass(bytes)))
      from.on('error', () => {})
      from.on('close', () => {
        sockets.delete(client)
        to.destroy()
      })
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const through = new URL(urls[0] ?? '')
  through.hostname = '127.0.0.1'
  through.port = String((server.address() as { port: number }).port)
  return {
    url: through.href,
    get made() {
      return made
    },
    get open() {
      return sockets.size
    },
    hangLogins: () => {
      hangs = true
    },
    close: () => {
      for (const socket of sockets) socket.destroy()
      server.close()
    },
  }
}

/** Passes so many bytes a tick on, in their order; the rest is on its way. */
function slowly(to: Socket, perTick: number): (bytes: Buffer) => void {
  if (perTick > 1e9) return (bytes) => void to.write(bytes)
  let onItsWay = Buffer.alloc(0)
  let timer: NodeJS.Timeout | undefined
  return (bytes) => {
    onItsWay = Buffer.concat([onItsWay, bytes])
    timer ??= setInterval(() => {
      if (!to.destroyed) to.write(onItsWay.subarray(0, perTick))
      onItsWay = onItsWay.subarray(perTick)
      if (onItsWay.length > 0) return
      clearInterval(timer)
      timer = undefined
    }, tick)
  }
}
