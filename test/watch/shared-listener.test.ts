import { createServer } from 'node:net'
import { Kysely, PostgresDialect, sql } from 'kysely'
import { expect, onTestFinished, test } from 'vitest'
import type { ListenSource } from '../../src/watch/listener.js'
import { type ListenerState, type Subscription, sharedListener } from '../../src/watch/shared-listener.js'
import { createTestDatabase, quietPool, testDatabase } from '../support/database.js'
import { startProxy } from '../support/proxy.js'

const { db, url, pool } = await testDatabase()
const quick = { period: 20, patience: 200 }

/** Listens, and keeps what it hears. */
function listen(channel: string, source: ListenSource = url, times = quick, database = db) {
  const heard: string[] = []
  const states: ListenerState[] = []
  const reasons: Error[] = []
  const waiting: { wanted: () => boolean; resolve: () => void }[] = []
  const look = () => {
    for (const { wanted, resolve } of waiting) if (wanted()) resolve()
  }
  const subscription: Subscription = sharedListener(database, source, times).subscribe(channel, {
    notified: (payload) => {
      heard.push(payload)
      look()
    },
    changed: (state, reason) => {
      states.push(state)
      if (reason !== undefined) reasons.push(reason)
      look()
    },
  })
  onTestFinished(() => subscription.close())
  const until = (wanted: () => boolean) =>
    new Promise<void>((resolve) => {
      waiting.push({ wanted, resolve })
      look()
    })
  return {
    subscription,
    heard,
    states,
    reasons,
    until,
    listening: (times = 1) => until(() => states.filter((state) => state === 'listening').length >= times),
  }
}

const notify = (channel: string, payload: string, database = db) =>
  sql`select pg_notify(${channel}, ${payload})`.execute(database)

const connections = async () =>
  (
    await sql<{
      pid: number
    }>`select pid from pg_stat_activity where application_name = 'kysely-jobs listener' and datname = current_database()`.execute(
      db,
    )
  ).rows

test('what is notified is heard, an empty payload too, on channels of any name', async () => {
  const name = `job_available_"we'ird" 🦊 ${'x'.repeat(20)}`
  const ear = listen(name)
  await ear.listening()
  for (const payload of ['', '0', '1500', 'check', '{not json']) await notify(name, payload)
  await ear.until(() => ear.heard.length === 5)
  expect(ear.heard).toEqual(['', '0', '1500', 'check', '{not json'])
  expect(ear.subscription.state).toBe('listening')
})

test('listeners of one process share a connection, and the last one out closes it', async () => {
  const [a, b] = [listen('a'), listen('b')]
  await Promise.all([a.listening(), b.listening()])
  expect(await connections()).toHaveLength(1)
  await notify('a', '1')
  await notify('b', '2')
  await Promise.all([a.until(() => a.heard.length === 1), b.until(() => b.heard.length === 1)])
  const late = listen('c')
  await late.listening()
  await notify('c', '3')
  await late.until(() => late.heard.length === 1)
  expect(await connections()).toHaveLength(1)
  await Promise.all([a, b, late].map(({ subscription }) => subscription.close()))
  expect(a.states.at(-1)).toBe('closed')
  await expect.poll(connections).toEqual([])
})

test('a listener whose backend was terminated listens again, and says when', async () => {
  const ear = listen('killed')
  await ear.listening()
  const [backend] = await connections()
  await sql`select pg_terminate_backend(${backend?.pid})`.execute(db)
  await ear.listening(2)
  expect(ear.states).toEqual(['listening', 'connecting', 'listening'])
  await notify('killed', 'again')
  await ear.until(() => ear.heard.includes('again'))
})

test('a connection that was cut off without a word is noticed by the probe, and another is built', async () => {
  const proxy = await startProxy(url)
  onTestFinished(proxy.close)
  const ear = listen('cut', proxy.url)
  await ear.listening()
  proxy.swallow()
  await ear.until(() => ear.states.includes('deaf'))
  proxy.heal()
  await ear.listening(2)
  await notify('cut', 'again')
  await ear.until(() => ear.heard.includes('again'))
})

test('it is told that a channel is listened to when that is so, not before: what comes from then on is heard', async () => {
  const proxy = await startProxy(url)
  onTestFinished(proxy.close)
  const cut = proxy.cut('before', (statement) => /^listen .*early/i.test(statement))
  const ear = listen('early', proxy.url)
  await cut
  expect(ear.states).toEqual([])
  await ear.listening()
  await notify('early', 'heard')
  await ear.until(() => ear.heard.includes('heard'))
})

test('a session that was made deaf behind its back is noticed by two probes, and replaced', async () => {
  const proxy = await startProxy(url)
  onTestFinished(proxy.close)
  let probes = 0
  const counting = new Kysely({ dialect: new PostgresDialect({ pool }), log: () => void probes++ })
  const ear = listen('unheard', proxy.url, { period: 200, patience: 200 }, counting)
  await ear.listening()
  await proxy.say('unlisten *', (statement) => statement.startsWith('LISTEN'))
  const before = probes
  await ear.until(() => ear.states.includes('deaf'))
  expect(probes - before).toBeLessThanOrEqual(2)
  await ear.listening(2)
  await notify('unheard', 'again')
  await ear.until(() => ear.heard.includes('again'))
})

test('a probe that is due goes along with a statement that is sent anyway, and needs none of its own', async () => {
  const own: string[] = []
  const logged = new Kysely<any>({
    dialect: new PostgresDialect({ pool: quietPool({ connectionString: url }) }),
    log: ({ query }) => void own.push(query.sql),
  })
  const ear = listen('carried', url, { period: 1_000, patience: 200 }, logged)
  await ear.listening()
  const { carry } = ear.subscription
  await expect.poll(() => own.length).toBe(1) // it may be heard before its statement is answered, and logged
  const probes = own.length
  await expect
    .poll(() => carry(async (notice) => notice && notify(notice.channel, notice.payload)), { timeout: 5_000 })
    .toBeDefined()
  // one that had not come back would be followed by another at once
  await expect.poll(() => carry(async (notice) => notice), { timeout: 5_000 }).toBeDefined()
  expect(own).toHaveLength(probes)
  await expect.poll(() => own.length).toBe(probes + 1)
  expect(ear.states).toEqual(['listening'])
})

test('a listener on another database than the jobs is deaf, and says so', async () => {
  await using other = await createTestDatabase()
  const ear = listen('elsewhere', other.url, { period: 20, patience: 50 })
  await ear.until(() => ear.states.includes('deaf'))
  expect(ear.states).not.toContain('listening')
  expect(ear.reasons[0]?.message).toContain('another database')
  await ear.subscription.close()
})

test('a server that hangs up is tried again for ever, and told of once', async () => {
  let tries = 0
  const server = createServer((socket) => {
    tries += 1
    socket.destroy()
  })
  onTestFinished(() => void server.close())
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  const ear = listen('hung-up', `postgres://ann@127.0.0.1:${port}/db`)
  await expect.poll(() => tries, { timeout: 10_000 }).toBeGreaterThan(3)
  expect(ear.reasons.length).toBeLessThan(tries)
})

test('a server that refuses is a reason, and keeps its password', async () => {
  const refused = new URL(url)
  refused.port = '1'
  refused.password = 'sesame'
  const ear = listen('refused', refused.href)
  await ear.until(() => ear.reasons.length >= 1)
  expect(ear.subscription.state).toBe('connecting')
  expect(ear.reasons.map((reason) => `${reason.stack} ${JSON.stringify(reason)}`).join()).not.toContain('sesame')
})

test('a connection string that can not be read is a reason, and keeps its password', async () => {
  const ear = listen('unreadable', 'postgres://user:sesame@host:port/db')
  await ear.until(() => ear.reasons.length >= 1)
  expect(ear.reasons.map((reason) => `${reason.stack} ${JSON.stringify(reason)}`).join()).not.toContain('sesame')
})

test('closing while it connects ends everything', async () => {
  const proxy = await startProxy(url)
  onTestFinished(proxy.close)
  proxy.swallow()
  const ear = listen('never', proxy.url)
  await ear.subscription.close()
  await expect.poll(() => proxy.connections).toBe(0)
})

test("a pool's settings are used, never its clients", async () => {
  const pool = quietPool({ connectionString: url, max: 1, password: 'kept out of sight' })
  onTestFinished(() => pool.end())
  const ear = listen('pool', pool)
  await ear.listening()
  expect(pool.totalCount).toBe(0)
  await notify('pool', 'heard')
  await ear.until(() => ear.heard.includes('heard'))
})

test('a hook that throws hurts no other', async () => {
  const bad = sharedListener(db, url, quick).subscribe('both', {
    notified: () => {
      throw new Error('bad hook')
    },
    changed: () => {
      throw new Error('bad hook')
    },
  })
  onTestFinished(() => bad.close())
  const ear = listen('both')
  await ear.listening()
  await notify('both', 'heard')
  await ear.until(() => ear.heard.includes('heard'))
})

test.each<[string, (url: string, options: string) => ListenSource]>([
  ['a connection string', (url, options) => `${url}?options=${encodeURIComponent(options)}`],
  ['a pg config', (url, options) => ({ connectionString: url, options })],
])('idle_session_timeout does not cut a listener off, given by %s', async (_, source) => {
  const never = { period: 60_000, patience: 5_000 } // no probe keeps it busy
  const ear = listen('quiet', source(url, '-c idle_session_timeout=100ms'), never)
  await ear.listening()
  await sql`select pg_sleep(0.4)`.execute(db)
  await notify('quiet', 'still here')
  await ear.until(() => ear.heard.length === 1)
  expect(ear.states).toEqual(['listening'])
})

test('channels that are asked for at once are listened to one after the other, as pg 9 wants it', async () => {
  const warnings: string[] = []
  const keep = ({ message }: Error) => warnings.push(message)
  process.on('warning', keep)
  onTestFinished(() => void process.off('warning', keep))
  const first = listen('many 0')
  await first.listening()
  const others = Array.from({ length: 5 }, (_, i) => listen(`many ${i + 1}`))
  await Promise.all(others.map((ear) => ear.listening()))
  await Promise.all(others.map(({ subscription }) => subscription.close()))
  await new Promise((resolve) => setImmediate(resolve))
  expect(warnings).toEqual([])
})
