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
    if (incoming.readableEnded && typeof body === 'object' && body !== null && incoming.rawBody === undefined)
      incoming.rawBody = Buffer.from(formText(body))
    await listener(incoming, response)
  }
}

/** What frameworks add to a request. */
interface MountedRequest extends IncomingMessage {
  originalUrl?: string
  body?: unknown
  rawBody?: Buffer
}

/** A form as it was sent; a parser makes lists of names that come more than once. */
function formText(body: object): string {
  const form = new URLSearchParams()
  for (const [name, value] of Object.entries(body))
    for (const each of Array.isArray(value) ? value : [value]) form.append(name, String(each))
  return form.toString()
}
