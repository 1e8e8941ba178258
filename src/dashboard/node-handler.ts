import type { IncomingMessage, ServerResponse } from 'node:http'
import { getRequestListener } from '@hono/node-server'

/**
 * A dashboard as a handler of Node's own requests: for `http.createServer`, Express, Fastify and NestJS. A parser of bodies that comes before it may
 * have read what forms send: what it has made of it (`request.body`) is taken then.
 *
 * @example app.use('/jobs', nodeHandler(jobs)) // in Express, where jobs = dashboard(db, { tables: ['mail_jobs'], basePath: '/jobs', authorize })
 */
export function nodeHandler(
  handler: (request: Request) => Promise<Response>,
): (request: IncomingMessage, response: ServerResponse) => Promise<void> {
  const listener = getRequestListener(handler, { overrideGlobalObjects: false })
  return async (incoming: MountedRequest, response) => {
    const { originalUrl, body } = incoming
    // Express takes the path it is mounted at off the url.
    if (originalUrl !== undefined) incoming.url = originalUrl
    if (incoming.readableEnded && incoming.rawBody === undefined) {
      const sent = sentBody(body)
      if (sent !== undefined) incoming.rawBody = sent
    }
    await listener(incoming, response)
  }
}

/** What frameworks add to a request. */
interface MountedRequest extends IncomingMessage {
  originalUrl?: string
  body?: unknown
  rawBody?: Buffer
}

/** What was sent, of what a parser has made of it; undefined: nothing was. */
function sentBody(body: unknown): Buffer | undefined {
  if (typeof body === 'string') return Buffer.from(body)
  if (body instanceof Uint8Array) return Buffer.from(body)
  return typeof body === 'object' && body !== null ? Buffer.from(formText(body)) : undefined
}

/** A form as it was sent: parsers make lists of names that come more than once, of long lists objects, and objects of names in brackets. */
function formText(body: object): string {
  const form = new URLSearchParams()
  const add = (name: string, value: unknown) => {
    if (typeof value !== 'object' || value === null) form.append(name, String(value))
    else for (const [key, each] of Object.entries(value)) add(/^\d+$/.test(key) ? name : `${name}[${key}]`, each)
  }
  for (const [name, value] of Object.entries(body)) add(name, value)
  return form.toString()
}
