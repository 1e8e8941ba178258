import { type Context, Hono } from 'hono'
import { HTTPException } from 'hono/http-exception'
import { withDeadline } from '../watch/deadline.js'
import { rightsOf, type Viewer, viewerOf } from './access.js'
import { Forbidden, Missing, Refused } from './answers.js'
import { assetNames, assetResponse } from './assets.js'
import { formIn } from './form.js'
import { securityHeaders } from './headers.js'
import { LivePages } from './live.js'
import { madePage } from './made-page.js'
import { ownForms } from './own-form.js'
import { forbiddenPage, missingPage, refusedPage, troublePage } from './pages/trouble.js'
import { Layout } from './parts/layout.js'
import type { Act, Page, Show, Visit } from './parts/page.js'
import { routes } from './routes.js'
import type { Site } from './site.js'

/** So long waits whoever asked for an action; it goes on. */
const actLimit = 20_000

type Env = { Variables: { viewer: Viewer } }
type Asked = Context<Env>

/** What answers requests: every page and action of {@link routes}, for whoever may see them. */
export function appOf(site: Site): Hono<Env> {
  const { basePath } = site.settings
  const app = new Hono<Env>({ getPath: (request) => pathOf(new URL(request.url), basePath) })
  const live = new LivePages()
  app.use(async (c, next) => {
    await next()
    for (const [name, value] of Object.entries(securityHeaders)) c.res.headers.set(name, value)
  })
  app.get('/assets/:name', (c) => assetResponse(c.req.param('name')) ?? c.text('There is no such file.', 404))
  app.use(async (c, next) => {
    const answer = await site.settings.authorize(c.req.raw)
    if (answer instanceof Response) return sentAnew(answer)
    const viewer = viewerOf(answer, site.settings.readOnly)
    if (viewer === undefined) return c.text('You may not see this page.', 403)
    c.set('viewer', viewer)
    return next()
  })
  app.use(ownForms)
  for (const { path, show, act } of routes) {
    if (show !== undefined) app.get(path, (c) => shown(c, site, live, show))
    if (act !== undefined) app.post(path, (c) => acted(c, site, act))
  }
  app.onError((error, c) => {
    if (error instanceof HTTPException) return error.getResponse()
    process.emitWarning(`A dashboard failed: ${error.message}`, 'DashboardWarning')
    return c.text('The dashboard failed.', 500) // nobody was let in, who may know why?
  })
  app.notFound((c) => sent(c, visitOf(c, site, new Date()), missingPage('page')))
  return app
}

/** Its headers may be fixed, and it may be answered again. */
function sentAnew(response: Response): Response {
  const { body } = response.clone()
  return new Response(body, response)
}

/** The path below the base: an app that mounts us may have taken the base off already. */
function pathOf({ pathname }: URL, basePath: string): string {
  const isBelow = pathname === basePath || pathname.startsWith(`${basePath}/`)
  const path = isBelow ? pathname.slice(basePath.length) : pathname
  return path === '' ? '/' : path
}

function visitOf(c: Asked, site: Site, now: Date): Visit {
  const url = new URL(c.req.url)
  url.searchParams.delete('live')
  const { path } = c.req
  return { site, viewer: c.get('viewer'), path, query: url.searchParams, now }
}

async function shown(c: Asked, site: Site, live: LivePages, show: Show): Promise<Response> {
  const visit = visitOf(c, site, new Date())
  const made = () => madePage(visit, (now, db) => show(now, db, c.req.param()))
  if (c.req.query('live') !== undefined && c.req.method === 'GET') {
    const key = `${c.req.path}?${visit.query} ${rightsOf(visit.viewer, [...site.settings.tables.keys()])}`
    return live.follow(key, async () => String(await (await made()).main))
  }
  return sent(c, visit, await made().catch(pageOf))
}

async function acted(c: Asked, site: Site, act: Act): Promise<Response> {
  const visit = visitOf(c, site, new Date())
  const form = await formIn(c.req.raw)
  try {
    const done = await withDeadline(act(visit, form, c.req.param()), actLimit, 'the action')
    return typeof done === 'string' ? c.redirect(done, 303) : sent(c, visit, done)
  } catch (error) {
    return sent(c, visit, pageOf(error))
  }
}

function pageOf(error: unknown): Page {
  if (error instanceof Missing) return missingPage(error.message)
  if (error instanceof Forbidden) return forbiddenPage()
  if (error instanceof Refused) return refusedPage(error)
  return troublePage(error)
}

async function sent(c: Asked, visit: Visit, page: Page): Promise<Response> {
  const document = await (<Layout page={page} visit={visit} assets={assetNames} />)
  c.header('cache-control', 'no-store')
  return c.html(`<!doctype html>${document}`, page.status ?? 200)
}
