import { connect, createServer, type Socket } from 'node:net'

/** A proxy on loopback in front of a database, whose network can fail. */
export interface Proxy {
  readonly url: string
  /** Passes no bytes on, in either direction, and closes nothing: what a lost route looks like. */
  swallow(): void
  heal(): void
  /** Connections open now. */
  readonly connections: number
  close(): void
}

export async function startProxy(url: string): Promise<Proxy> {
  const { hostname, port } = new URL(url)
  const sockets = new Set<Socket>()
  let open = true
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname)
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from)
      from.on('data', (bytes) => open && to.write(bytes))
      from.on('error', () => {})
      from.on('close', () => {
        sockets.delete(from)
        to.destroy()
      })
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const through = new URL(url)
  through.hostname = '127.0.0.1'
  through.port = String((server.address() as { port: number }).port)
  return {
    url: through.href,
    swallow: () => {
      open = false
    },
    heal: () => {
      open = true
    },
    get connections() {
      return sockets.size / 2
    },
    close: () => {
      for (const socket of sockets) socket.destroy()
      server.close()
    },
  }
}
