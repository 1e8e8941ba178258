import type { MiddlewareHandler } from 'hono'

/**
 * Refuses what another site sends, whatever kind of content it says that it is: an app that lets other sites send it JSON has no part of
 * that here.
 */
export const ownForms: MiddlewareHandler = async (c, next) => {
  if (/^(?:GET|HEAD|OPTIONS)$/.test(c.req.method) || isOwn(c.req.raw)) return next()
  return c.text('A form of another site is not taken.', 403)
}

function isOwn({ url, headers }: Request): boolean {
  if (headers.get('sec-fetch-site') === 'same-origin') return true
  const origin = headers.get('origin') ?? ''
  if (!URL.canParse(origin)) return false
  // Behind a proxy the request's own address is another than the browser's; each of several adds its own.
  const forwarded = headers.get('x-forwarded-host')?.split(',') ?? []
  const hosts = [new URL(url).host, headers.get('host') ?? '', ...forwarded]
  return hosts.some((host) => isHostOf(new URL(origin), host.trim()))
}

/** Some proxies name the port also where it is the usual one. */
function isHostOf({ protocol, host }: URL, given: string): boolean {
  const address = `${protocol}//${given}`
  return given !== '' && URL.canParse(address) && new URL(address).host === host
}
