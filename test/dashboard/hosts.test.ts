import { fileURLToPath } from 'node:url'
import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { migrate } from '../../migrations/migrate.js'
import { freePort } from '../../tools/postgres/cluster.js'
import { testDatabase } from '../support/database.js'
import { startProgram } from '../support/program.js'

// The examples of docs/dashboard.md, each as a process of its own, as its user would start it.

const { db, url } = await testDatabase(migrate)
const authorization = `Basic ${btoa('ada:secret')}`

/** Asks an app as a browser does. */
type Ask = (path: string, init?: RequestInit) => Promise<Response>

/** What a dashboard in any app has to do: refuse strangers, show pages, take forms, follow. */
async function behaves(ask: Ask): Promise<void> {
  expect((await ask('/jobs', { headers: {} })).status).toBe(401)
  const headers = { authorization, 'sec-fetch-site': 'same-origin' }
  const page = await ask('/jobs', { headers })
  const html = await page.text()
  expect([page.status, html.includes('href="/jobs/tables/send_mail_jobs"'), html.includes('ada')]).toEqual([
    200,
    true,
    true,
  ])
  const [, style = ''] = /href="(\/jobs\/assets\/[^"]+\.css)"/.exec(html) ?? []
  expect((await ask(style, { headers })).headers.get('content-type')).toBe('text/css; charset=utf-8')
  await sql`delete from send_mail_jobs`.execute(db)
  const rows = Array.from({ length: 50 }, (_, n) => ({ address: `${n}@example.com`, subject: 'ä & "x"=1' }))
  const jobs = await db.insertInto('send_mail_jobs').values(rows).returning('id').execute()
  const form = new URLSearchParams({ verb: 'cancel', of: 'marked', sure: 'yes', value: 'ä & "b"=c' })
  for (const { id } of jobs) form.append('id', id)
  const body = { method: 'POST', body: form.toString(), redirect: 'manual' as const }
  const type = { 'content-type': 'application/x-www-form-urlencoded' }
  const done = await ask('/jobs/tables/send_mail_jobs/bulk', { ...body, headers: { ...headers, ...type } })
  expect(done.status).toBe(303)
  const run = done.headers.get('location') ?? ''
  expect(run).toMatch(/^\/jobs\/tables\/send_mail_jobs\/runs\//)
  await expect.poll(async () => (await ask(run, { headers })).text()).toMatch(/50 jobs were (?!refused)[a-z]/)
  const { last_error } = await db.selectFrom('send_mail_jobs').select('last_error').distinct().executeTakeFirstOrThrow()
  expect(last_error).toBe('Cancelled: ä & "b"=c')
  const refused = await ask('/jobs/tables/send_mail_jobs/bulk', { ...body, headers: { authorization, ...type } })
  expect(refused.status).toBe(403) // of another site, for all that is known
  const followed = await ask('/jobs/tables/send_mail_jobs?live=1', { headers })
  expect(followed.headers.get('content-type')).toBe('text/event-stream')
  const reader = followed.body?.getReader()
  let said = ''
  while (!said.includes('data: ')) said += new TextDecoder().decode((await reader?.read())?.value)
  expect(said).toContain('0@example.com')
  await reader?.cancel()
}

test.each(['hono', 'node', 'express', 'fastify', 'nest'])('in %s it stands beside the app', async (host) => {
  const port = await freePort()
  const env = { DATABASE_URL: url, ADMIN_PASSWORD: 'secret', PORT: String(port) }
  const program = startProgram([fileURLToPath(new URL(`../../examples/dashboard/${host}.ts`, import.meta.url))], {
    env,
  })
  await program.said(/\/jobs\n/)
  const ask: Ask = (path, init) => fetch(`http://localhost:${port}${path}`, init)
  await behaves(ask)
  if (host !== 'nest') expect(await (await ask('/')).text()).toBe('The app')
})

/** Their servers can't be run here: what they call is. */
test.each(['next', 'bun', 'deno'])('what %s calls answers requests', async (host) => {
  process.env.DATABASE_URL = url
  process.env.ADMIN_PASSWORD = 'secret'
  const made = await import(`../../examples/dashboard/${host}.ts`)
  const ask: Ask = (path, init) => {
    const request = new Request(`http://localhost:3000${path}`, init)
    return made.default?.fetch(request) ?? made[request.method](request)
  }
  await behaves(ask)
})
