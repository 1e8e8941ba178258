import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { codeOf } from '../../pg/error-class.js'

/** Where it listens if nothing else is said, and how many ports it tries from there. */
const firstPort = 4747
const tries = 50

/**
 * A server that only this machine reaches.
 * @param wanted undefined: the first that is free from {@link firstPort} on
 */
export async function listen(wanted: number | undefined): Promise<{ readonly server: Server; readonly port: number }> {
  if (wanted !== undefined) return listenAt(wanted)
  for (let port = firstPort; port < firstPort + tries; port++) {
    try {
      return await listenAt(port)
    } catch (error) {
      if (!(error instanceof PortError)) throw error
    }
  }
  return listenAt(0)
}

/** A port that another program has. */
class PortError extends Error {
  override readonly name = 'PortError'
  readonly code = 'PORT'
}

async function listenAt(port: number) {
  const server = createServer()
  try {
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
  } catch (error) {
    if (!/^EADDRINUSE|^EACCES/.test(codeOf(error))) throw error
    throw new PortError(`Port ${port} can't be listened at (${codeOf(error)}): give another --port, or none`)
  }
  return { server, port: (server.address() as AddressInfo).port } // of a port there is one
}

/** Pages that are followed would keep it open. */
export function close(server: Server): void {
  server.close()
  server.closeAllConnections()
}
