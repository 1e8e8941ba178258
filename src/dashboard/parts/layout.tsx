import { address, seenTables } from '../site.js'
import type { Page, Visit } from './page.js'

/** The whole document around a page. */
export function Layout({
  page,
  visit,
  assets,
}: {
  readonly page: Page
  readonly visit: Visit
  readonly assets: Assets
}) {
  const { site } = visit
  const { title } = site.settings
  return (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="robots" content="noindex, nofollow" />
        <title>{page.title === title ? title : `${page.title} · ${title}`}</title>
        {page.refresh !== undefined && (
          <noscript>
            <meta http-equiv="refresh" content={String(page.refresh)} />
          </noscript>
        )}
        <link rel="icon" href={icon} />
        <link rel="stylesheet" href={address(site, ['assets', assets.style])} />
        <script src={address(site, ['assets', assets.script])} defer></script>
      </head>
      <body>
        <a class="skip" href="#main">
          Skip to content
        </a>
        <Bar visit={visit} />
        <main id="main" data-live={page.live === false ? undefined : liveAddress(visit)}>
          {page.main}
        </main>
        <footer>
          Times are relative to the database's clock; hover for the exact one. <span class="live" role="status"></span>
        </footer>
      </body>
    </html>
  )
}

/** What of the assets is in their addresses. */
export interface Assets {
  readonly style: string
  readonly script: string
}

function Bar({ visit }: { readonly visit: Visit }) {
  const { site, viewer } = visit
  return (
    <header class="bar">
      <a class="brand" href={address(site, [])}>
        <Mark />
        {site.settings.title}
      </a>
      <nav aria-label="Pages">
        <ul>
          {[overview, ...tablesOf(visit), schedules, statuses].map(({ path, text }) => (
            <li>
              <a href={address(site, path)} aria-current={isCurrent(visit, path)}>
                {text}
              </a>
            </li>
          ))}
        </ul>
      </nav>
      {viewer.user !== undefined && <span class="user">{viewer.user}</span>}
    </header>
  )
}

const overview = { path: [], text: 'Overview' }
const schedules = { path: ['schedules'], text: 'Schedules' }
const statuses = { path: ['statuses'], text: 'Statuses' }
const tablesOf = ({ site, viewer }: Visit) =>
  seenTables(site, viewer).map(({ name, title }) => ({ path: ['tables', name], text: title }))

function isCurrent({ path }: Visit, [first, name]: readonly string[]): 'page' | 'true' | undefined {
  const parts = path.split('/').filter((part) => part !== '')
  const [inFirst, inName] = [first, name].map((part) => part && encodeURIComponent(part))
  if (inFirst !== parts[0] || inName !== parts[1]) return undefined
  return parts.length > 2 ? 'true' : 'page'
}

function liveAddress({ site, path, query }: Visit): string {
  const asked = new URLSearchParams(query)
  asked.set('live', '1')
  return `${site.settings.basePath}${path}?${asked.toString()}`
}

const icon =
  "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 20 20' fill='%232f6fdd'%3E%3Crect x='2' y='3' width='16' height='4' rx='1.5'/%3E%3Crect x='2' y='9' width='11' height='4' rx='1.5'/%3E%3Crect x='2' y='15' width='6' height='3' rx='1.5'/%3E%3C/svg%3E"

function Mark() {
  return (
    <svg viewBox="0 0 20 20" aria-hidden="true">
      <rect x="2" y="3" width="16" height="4" rx="1.5" />
      <rect x="2" y="9" width="11" height="4" rx="1.5" />
      <rect x="2" y="15" width="6" height="3" rx="1.5" />
    </svg>
  )
}
