import { mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Kysely, PostgresDialect, sql } from 'kysely'
import { createRunner, createWorker, guardPool } from 'kysely-jobs'
import { dashboard, nodeHandler } from 'kysely-jobs/dashboard'
import pg from 'pg'
import type { Page } from 'playwright-core'
import { openDatabase } from '../../examples/database.ts'
import { startBrowser } from './browser.ts'
import { createSample, tables } from './sample.ts'

/** Makes the pictures of the dashboard in docs/pictures, each in light and in dark: npm run screenshots. */
const folder = new URL('../../docs/pictures/', import.meta.url)
const size = { width: 1200, height: 760 }
/** Bytes: who reads the README loads them. */
const largest = 80_000

const pages = {
  overview: () => '/',
  jobs: () => '/tables/order_jobs?state=failed&where=amount%3E100',
  job: (id: string) => `/tables/order_jobs/jobs/${id}`,
  errors: () => '/tables/order_jobs/errors',
} as const

const database = await openDatabase('kysely_jobs_pictures')
const pool = guardPool(new pg.Pool({ connectionString: database.url }))
const db = new Kysely<any>({ dialect: new PostgresDialect({ pool }) })
await createSample(db)
// Workers that are there, and take nothing of what is to be seen.
const workers = tables.map((table) =>
  createWorker(db, table, () => {}, {
    concurrency: 10,
    listen: pool,
    where: () => sql<boolean>`false`,
  } as never),
)
const runner = createRunner(db, {
  workers,
  logger: { debug() {}, info() {}, warn: console.warn, error: console.error },
})
await runner.start()
await sql`update job_runners set host = 'worker-1', pid = 4211`.execute(db)

const jobs = dashboard(db, {
  tables: { order_jobs: { title: 'Orders' }, mail_jobs: { title: 'Mails' } } as never,
  authorize: () => ({ user: 'ada', may: 'all' }),
})
const server = createServer(nodeHandler(jobs))
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
const browser = await startBrowser()
try {
  mkdirSync(folder, { recursive: true })
  const { port } = server.address() as AddressInfo // of a port
  const { id } = await db
    .selectFrom('order_jobs')
    .select('id')
    .where('status', '=', 'job_status_failed')
    .orderBy('created_at', 'desc')
    .executeTakeFirstOrThrow()
  for (const colorScheme of ['light', 'dark'] as const)
    for (const [name, path] of Object.entries(pages)) {
      const page = await browser.newPage({ colorScheme, viewport: size })
      await page.goto(`http://127.0.0.1:${port}${path(id)}`)
      if (name === 'overview') await page.getByText('SQL that mends it').waitFor()
      const file = `${name}-${colorScheme}.webp`
      const bytes = await picture(page)
      await page.close()
      writeFileSync(new URL(file, folder), bytes)
      console.log(`${file}: ${Math.round(bytes.length / 1_000)} kB`)
      if (bytes.length > largest) process.exitCode = 1
    }
} finally {
  await browser.close()
  server.closeAllConnections()
  server.close()
  await runner.stop()
  await db.destroy()
  await database.close()
}

/** As WebP, which is half as large as PNG; playwright itself makes none. */
async function picture(page: Page): Promise<Buffer> {
  const session = await page.context().newCDPSession(page)
  const { data } = await session.send('Page.captureScreenshot', { format: 'webp', quality: 90 })
  return Buffer.from(data, 'base64')
}
