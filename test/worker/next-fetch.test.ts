import { Kysely, PostgresDialect, sql } from 'kysely'
import pg from 'pg'
import { expect, onTestFinished, test } from 'vitest'
import { testDatabase } from '../support/database.js'
import { createMailTables, type MailDatabase, mailWorker, next } from './mail-jobs.js'

// A thousand handlers that end at once keep their process busy: meanwhile the server is to be at work on the next fetch.

const { db, url } = await testDatabase<MailDatabase>(createMailTables)

const claims = { lease: /^update .* set "status" = 'job_status_running'/, transaction: /^select .* skip locked$/ }

test.each(['lease', 'transaction'] as const)(
  'the next jobs are being fetched while handlers run, with hold: %s',
  async (hold) => {
    const sent: string[] = []
    const pool = new pg.Pool({ connectionString: url, max: 10 })
    pool.on('connect', (client) => {
      const query = client.query.bind(client) as (...parameters: unknown[]) => unknown // of all overloads
      Object.assign(client, {
        query: (...parameters: unknown[]) => {
          sent.push(String(parameters[0]))
          return query(...parameters)
        },
      })
    })
    const watched = new Kysely<MailDatabase>({ dialect: new PostgresDialect({ pool }) })
    onTestFinished(() => watched.destroy())
    await sql`insert into mail_jobs ("to", run_at) select 'a', now() - interval '1 hour' from generate_series(1, 20000)`.execute(
      db,
    )
    let fetched: number | undefined
    let ahead = 0
    const worker = mailWorker(
      watched,
      () => {
        if (fetched === undefined) return
        if (sent.slice(fetched).some((statement) => claims[hold].test(statement))) ahead += 1
        fetched = undefined
      },
      { hold },
    )
    worker.on('claimed', ({ jobs }) => {
      fetched = jobs.length === 1_000 ? sent.length : undefined
    })
    const idle = next(worker, 'idle')
    await worker.start()
    await idle
    expect(ahead).toBeGreaterThan(0)
  },
)
