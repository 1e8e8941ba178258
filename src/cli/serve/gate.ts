import { createHash, timingSafeEqual } from 'node:crypto'

/**
 * Lets in who has the token, of which the first visit makes a cookie: other users of the machine reach the port as well. A page of another
 * site that has its name lead here is refused by the host that it asks for.
 */
export function gateOf(token: string, port: number): (request: Request) => 'all' | false | Response {
  const cookie = `kysely-jobs-${port}`
  return (request) => {
    const url = new URL(request.url)
    if (![`127.0.0.1:${port}`, `localhost:${port}`].includes(request.headers.get('host') ?? '')) return false
    if (isSame(url.searchParams.get('token') ?? '', token)) {
      const headers = { location: '/', 'set-cookie': `${cookie}=${token}; Path=/; HttpOnly; SameSite=Strict` }
      return new Response(null, { status: 303, headers })
    }
    return isSame(cookieOf(request, cookie), token) ? 'all' : refusal()
  }
}

const refusal = () =>
  new Response('Open the address that the terminal printed when the dashboard was started: it has the token.', {
    status: 403,
  })

function cookieOf(request: Request, name: string): string {
  const pairs = (request.headers.get('cookie') ?? '').split(';').map((pair) => pair.trim().split('='))
  return pairs.find(([each]) => each === name)?.[1] ?? ''
}

/** Takes the same time whatever differs. */
function isSame(given: string, wanted: string): boolean {
  const [one, other] = [given, wanted].map((text) => createHash('sha256').update(text).digest())
  return one !== undefined && other !== undefined && timingSafeEqual(one, other)
}
