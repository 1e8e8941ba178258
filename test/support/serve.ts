import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { nodeHandler } from 'kysely-jobs/dashboard'
import { afterAll } from 'vitest'

/** What answers requests, on a port of loopback. */
export interface Served {
  readonly url: string
  readonly server: Server
}

/** Serves pages until the last test of the file has ended. */
export function serve(handler: (request: Request) => Promise<Response>): Promise<Served> {
  return serveListener(nodeHandler(handler))
}

export async function serveListener(listener: RequestListener): Promise<Served> {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  afterAll(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo // of a port
  return { url: `http://127.0.0.1:${port}`, server }
}
