import { Kysely, PostgresDialect } from 'kysely'
import type { Pool } from 'pg'
import { expect, onTestFinished, test } from 'vitest'
import { sharedListener } from '../../src/watch/shared-listener.js'
import { createTestDatabase } from '../support/database.js'

const quick = { period: 10, patience: 400 }

/** A handle that counts the probes that are sent through it. */
function probing(pool: Pool) {
  let probes = 0
  let look = () => {}
  const log = ({ query }: { query: { sql: string } }) => {
    if (query.sql.includes('pg_notify')) probes += 1
    look()
  }
  const sent = (count: number) =>
    new Promise<void>((resolve) => {
      look = () => {
        if (probes >= count) resolve()
      }
      look()
    })
  return { db: new Kysely<any>({ dialect: new PostgresDialect({ pool }), log }), sent, count: () => probes }
}

test('closing while the first probe is under way ends the probing: a process that is done can end', async () => {
  await using slow = await createTestDatabase({ pool: { max: 1 } })
  await using other = await createTestDatabase()
  const [a, b] = [probing(slow.pool), probing(other.pool)]
  const hooks = { notified: () => {}, changed: () => {} }
  const clock = sharedListener(b.db, other.url, quick).subscribe('b', hooks)
  onTestFinished(() => clock.close())

  const client = await slow.pool.connect()
  const closing = sharedListener(a.db, slow.url, quick).subscribe('a', hooks)
  while (slow.pool.waitingCount === 0) await b.sent(b.count() + 1) // until its probe waits for the only client
  const closed = closing.close()
  client.release()
  await closed
  await b.sent(b.count() + 60) // in which time the other would have sent many more
  expect(a.count()).toBe(1)
})
