import { sql } from 'kysely'
import { type ActionEvent, dashboard } from 'kysely-jobs/dashboard'
import { beforeEach, expect, test } from 'vitest'
import { testDatabase } from '../support/database.js'
import { createMailTable } from './mail-table.js'

const { db, pool } = await testDatabase(createMailTable)
const told: ActionEvent[] = []
const handler = dashboard(db, {
  tables: ['mail_jobs'],
  authorize: (request) => (request.headers.has('admin') ? 'all' : 'read'),
  onAction: (event) => told.push(event),
})
beforeEach(async () => {
  told.splice(0)
  await sql`truncate mail_jobs`.execute(db)
  await sql`insert into mail_jobs ("to", status) select n::text, 'job_status_failed' from generate_series(1, 3000) as n`.execute(
    db,
  )
})

async function visit(path: string, form?: Record<string, string>, isAdmin = true) {
  const headers = {
    ...(isAdmin && { admin: 'yes' }),
    ...{ 'content-type': 'application/x-www-form-urlencoded', 'sec-fetch-site': 'same-origin' },
  }
  const post = form && { method: 'POST', body: new URLSearchParams(form).toString() }
  const response = await handler(new Request(`http://jobs.example${path}`, { headers, ...post }))
  return { status: response.status, location: response.headers.get('location') ?? '', text: await response.text() }
}

const begin = async (verb: string) =>
  (await visit('/tables/mail_jobs/bulk?state=failed', { verb, of: 'all', sure: 'yes' })).location

/** Holds what somebody else would, until it is called. */
async function holding(statement: string): Promise<() => Promise<void>> {
  const client = await pool.connect()
  await client.query('begin')
  await client.query(statement)
  return async () => {
    await client.query('rollback')
    client.release()
  }
}

test('who may not do what a run does sees it, and can not stop it', async () => {
  const release = await holding(`select from mail_jobs where "to" = '1500' for update`)
  const run = await begin('retry')
  const { status, text } = await visit(run, undefined, false)
  expect([status, text.includes('at work'), text.includes('Stop after')]).toEqual([200, true, false])
  expect((await visit(run, {}, false)).status).toBe(403)
  expect((await visit(run)).text).toContain('Stop after')
  await release()
  await expect.poll(async () => (await visit(run)).text).toContain('3,000 jobs were retried')
})

test('what a run changed before it could not go on is told to onAction', async () => {
  await sql`create or replace function refuse() returns trigger language plpgsql as $$ begin
    if old."to" = '2500' then perform pg_terminate_backend(pg_backend_pid()); end if; return old; end $$`.execute(db)
  await sql`create trigger refuse before delete on mail_jobs for each row execute function refuse()`.execute(db)
  const run = await begin('delete')
  await expect.poll(async () => (await visit(run)).text).toContain('It could not go on')
  await sql`drop trigger refuse on mail_jobs`.execute(db)
  const { rows } = await sql<{ left: number }>`select count(*)::int as left from mail_jobs`.execute(db)
  const changed = 3_000 - (rows[0]?.left ?? 0)
  expect(changed).toBeGreaterThan(0)
  expect(told).toMatchObject([{ action: 'delete', table: 'mail_jobs', of: 'state: failed', changed }])
})
