import { Kysely, PostgresDialect, sql } from 'kysely'
import { expect, onTestFinished, test } from 'vitest'
import { quietPool, testDatabase } from '../support/database.js'
import { createMailTables, type MailDatabase, mailWorker, next } from './mail-jobs.js'

// A thousand handlers that end at once keep their process busy: meanwhile the server is to be at work on the next fetch.

const { db, url } = await testDatabase<MailDatabase>(createMailTables)

const claims = { lease: /^update .* set "status" = 'job_status_running'/, transaction: /^select .* skip locked$/ }

test.each(['lease', 'transaction'] as const)(
  'the next jobs are being fetched while handlers run, with hold: %s',
  async (hold) => {
    const sent: string[] = []
    const pool = quietPool({ connectionString: url, max: 10 })
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
    /** What had been sent when a thousand came, by the last of them. */
    const sentBefore = new Map<string, number>()
    let ahead = 0
    const worker = mailWorker(
      watched,
      ({ id }) => {
        const before = sentBefore.get(id)
        if (before !== undefined && sent.slice(before).some((statement) => claims[hold].test(statement))) ahead += 1
      },
      { hold },
    )
    worker.on('claimed', ({ jobs }) => {
      const last = jobs.at(-1)
      if (jobs.length === 1_000 && last !== undefined) sentBefore.set(last.id, sent.length)
    })
    const idle = next(worker, 'idle')
    await worker.start()
    await idle
    expect(ahead).toBeGreaterThan(0)
  },
)
