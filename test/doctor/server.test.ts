import { Kysely, PostgresDialect, sql } from 'kysely'
import { createJobTable } from 'kysely-jobs/migrate'
import pg from 'pg'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { type Surroundings, serverChecks } from '../../src/doctor/checks/server.js'
import { examine } from '../../src/doctor/examine.js'
import { findings } from '../../src/doctor/finding.js'
import { limits } from '../../src/doctor/limits.js'
import { startPostgres } from '../../tools/postgres/start-postgres.js'
import { createTestDatabase, quietPool, testDatabase } from '../support/database.js'
import { startPgBouncer, withoutPgBouncer } from '../support/pgbouncer.js'
import { startStandby } from '../support/standby.js'
import { found, paste } from './examining.js'

const database = await testDatabase((db) => createJobTable(db, 'jobs'))
const { db, url } = database

/** A handle of a pool of its own. */
function handle(config: pg.PoolConfig): Kysely<any> {
  const made = new Kysely<any>({ dialect: new PostgresDialect({ pool: quietPool(config) }) })
  onTestFinished(() => made.destroy())
  return made
}

/** A session of somebody's in a transaction. */
async function session(name: string, statement = 'select 1', connectionString = url) {
  const client = new pg.Client({ connectionString, application_name: name })
  client.on('error', () => {})
  await client.connect()
  onTestFinished(() => client.end().catch(() => {}))
  await client.query('begin')
  await client.query(statement)
  const { rows } = await client.query('select pg_backend_pid() as pid')
  return { client, pid: rows[0].pid as number }
}

const atOnce = { ...limits, idleTransaction: 0, longTransaction: 0 }

describe('whoever keeps vacuum from its work', () => {
  test('a transaction that does nothing is told with its process, and its SQL ends just that one', async () => {
    const { pid } = await session('shop "one"')
    const { pid: other } = await session('other')
    const all = (await examine(db, {}, atOnce)).filter(({ code }) => code === 'idle-transaction')
    expect(all).toHaveLength(2)
    const one = all.find(({ what }) => what.includes(`process ${pid} (shop "one") of postgres has been open for `))
    expect(one?.what).not.toContain('select 1')
    await paste(database, one?.sql)
    await expect.poll(() => examine(db, {}, atOnce)).toHaveLength(1)
    expect(found(await examine(db, {}, atOnce), 'idle-transaction').what).toContain(`process ${other} `)
    expect(await examine(db)).toEqual([])
    await paste(database, found(await examine(db, {}, atOnce), 'idle-transaction').sql)
  })

  test('one that is at work for long, of which no SQL is given', async () => {
    await session('holder', 'lock table jobs in share mode')
    const { client, pid } = await session('report')
    const waits = client.query('lock table jobs in exclusive mode').catch(() => {})
    const isWaiting = sql`select from pg_stat_activity where pid = ${pid} and state = 'active'`
    while ((await isWaiting.execute(db)).rows.length === 0);
    const long = found(await examine(db, {}, atOnce), 'long-transaction')
    expect(long.what).toMatch(new RegExp(`process ${pid} \\(report\\) of postgres has been at work for \\d`))
    expect(long).toMatchObject({
      severity: 'warning',
      remedy: expect.stringContaining(`select pg_cancel_backend(${pid})`),
    })
    expect(long.sql).toBeUndefined()
    await sql`select pg_terminate_backend(pid) from pg_stat_activity where application_name in ('holder', 'report')`.execute(
      db,
    )
    await waits
  })

  test('a prepared transaction, of which nobody but its coordinator knows how it should end', async () => {
    await using server = await startPostgres({ fsync: false, settings: { max_prepared_transactions: '5' } })
    const own = handle({ connectionString: server.url })
    await createJobTable(own, 'jobs')
    await sql.raw(`begin; create table odd (); prepare transaction 'it''s'`).execute(own)
    const finding = found(await examine(own, {}, { ...limits, prepared: 0 }), 'prepared-transaction')
    expect(finding.what).toMatch(/^The prepared transaction 'it''s' of postgres has waited for \d+ s\.$/)
    expect(finding.remedy).toContain("commit prepared 'it''s', or rollback prepared")
    await sql`commit prepared 'it''s'`.execute(own)
    expect(await examine(own, {}, { ...limits, prepared: 0 })).toEqual([])
  })

  test('a standby with a long query, by its feedback and then by its slot; and the standby itself is told from its primary', async () => {
    await using primary = await startPostgres({ fsync: false })
    const standby = await startStandby(primary)
    onTestFinished(standby.stop)
    const [first, second] = [handle({ connectionString: primary.url }), handle({ connectionString: standby.url })]
    await createJobTable(first, 'jobs')
    await sql`create table odd (id int)`.execute(first)
    const own = { ...limits, heldBack: 1 }
    expect(await examine(first, {}, own)).toEqual([])
    await expect.poll(async () => (await examine(second)).map(({ code }) => code)).toEqual(['standby'])
    const heard = found(await examine(second, { listen: primary.url }), 'not-examined')
    expect(heard.what).toContain('the database did not take one')

    await sql`alter system set hot_standby_feedback = on`.execute(second)
    await sql`alter system set wal_receiver_status_interval = '1s'`.execute(second)
    await sql`select pg_reload_conf()`.execute(second)
    const isThere = sql<{ odd: string | null }>`select to_regclass('odd')::text as odd`
    while ((await isThere.execute(second)).rows[0]?.odd !== 'odd');
    const { client } = await session('report', 'select count(*) from odd', standby.url)
    await client.query('select txid_current_snapshot()')
    const codes = async () => {
      await sql`insert into odd values (1)`.execute(first)
      return (await examine(first, {}, own)).map(({ code }) => code)
    }
    await expect.poll(codes).toContain('standby-holds-back')
    await sql`select pg_create_physical_replication_slot('second')`.execute(first)
    await sql`alter system set primary_slot_name = 'second'`.execute(second)
    await sql`select pg_reload_conf()`.execute(second)
    await expect.poll(codes).toContain('slot-holds-back')
    expect(found(await examine(first, {}, own), 'slot-holds-back').what).toContain(
      "The replication slot 'second', which is in use, keeps",
    )
  })
})

describe('the way to the server', () => {
  test('a database that is read-only by default, and writable when the SQL was run', async () => {
    await using broken = await createTestDatabase()
    await createJobTable(broken.db, 'jobs')
    await sql.raw(`alter database ${broken.name} set default_transaction_read_only = on`).execute(broken.db)
    const finding = found(await examine(handle({ connectionString: broken.url })), 'read-only')
    expect(finding).toMatchObject({
      severity: 'error',
      what: 'default_transaction_read_only is on (set by: database).',
    })
    await paste(broken, finding.sql)
    expect(await examine(handle({ connectionString: broken.url }))).toEqual([])
  })

  test('connections that are nearly all taken, with their numbers', async () => {
    const near = found(await examine(db, {}, { ...limits, connections: 0.0001 }), 'connections-near-limit')
    expect(near.what).toMatch(/^\d+ of \d+ connections of the server are taken\.$/)
  })

  test.each([
    ['behind', 60_000],
    ['ahead of', -60_000],
  ])('a clock of this machine that is %s the server’s', async (says, by) => {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() - by })
    onTestFinished(() => void vi.useRealTimers())
    const { what } = found(await examine(db), 'clock-differs')
    expect(what).toMatch(new RegExp(`^The clock of this machine is (59|60) s ${says} that of the server\\.$`))
  })

  test('a listener that hears nothing, and one that can’t connect, without its password', async () => {
    await using other = await createTestDatabase()
    const soon = { ...limits, patience: 300 }
    expect(found(await examine(db, { listen: other.url }, soon), 'deaf')).toMatchObject({ severity: 'warning' })
    const refused = found(await examine(db, { listen: 'postgres://ada:s3cret@127.0.0.1:1/shop' }), 'cannot-listen')
    expect(refused.what).toContain('Nothing listens at 127.0.0.1:1')
    expect(JSON.stringify(refused)).not.toContain('s3cret')
  })

  test('a pool of one connection: whether there is a pooler is not found out, the rest is', async () => {
    const single = handle({ connectionString: url, max: 1 })
    const all = await examine(single, {}, { ...limits, patience: 100 })
    expect(all).toMatchObject([{ code: 'not-examined', what: expect.stringContaining('Whether there is a pooler') }])
    expect(await examine(single, { pooling: false })).toEqual([])
  })

  test.skipIf(withoutPgBouncer !== undefined).each([5, 2, 1])(
    'a pooler in transaction mode is proven, and that a LISTEN through it is deaf: of %i sessions',
    async (sessions) => {
      await using pooler = await startPgBouncer(url, sessions)
      const own = handle({ connectionString: pooler.url })
      const all = await examine(own, { listen: pooler.url }, { ...limits, patience: 1000 })
      expect(found(all, 'pooler')).toMatchObject({ severity: 'advice' })
      expect(found(all, 'deaf').what).toContain('does not come back')
    },
  )

  test.skipIf(withoutPgBouncer !== undefined)(
    'a pooler in statement mode, through which no more is examined',
    async () => {
      await using pooler = await startPgBouncer(url, 5, 'statement')
      expect(await examine(handle({ connectionString: pooler.url }))).toMatchObject([
        { code: 'statement-pooler', severity: 'error' },
      ])
    },
  )
})

describe('a server', () => {
  const facts = async (server: Partial<Surroundings['server']>) => {
    const { readServer } = await import('../../src/doctor/facts/server-facts.js')
    return {
      server: { ...(await readServer(db)), ...server },
      limits,
      ahead: 0,
      pooling: 'none' as const,
      hearing: undefined,
    }
  }

  test('that is too old', async () => {
    expect(findings(serverChecks, await facts({ version: 120_004 }))).toMatchObject([
      { code: 'old-server', severity: 'error', what: 'The server is Postgres 12; kysely-jobs needs 13 or later.' },
    ])
    expect(findings(serverChecks, await facts({ version: 130_000 }))).toEqual([])
  })

  test('whose queue of notifications fills', async () => {
    expect(findings(serverChecks, await facts({ notifyQueue: 0.73 }))).toMatchObject([
      { code: 'notify-queue-filling', what: "The server's queue of notifications is 73 % full." },
    ])
  })

  test('without autovacuum, until its SQL was run', async () => {
    await using server = await startPostgres({ fsync: false })
    const own = handle({ connectionString: server.url })
    await createJobTable(own, 'jobs')
    await sql`alter system set autovacuum = off`.execute(own)
    await sql`select pg_reload_conf()`.execute(own)
    await expect.poll(async () => (await examine(own)).map(({ code }) => code)).toEqual(['no-autovacuum'])
    await paste({ ...database, url: server.url }, found(await examine(own), 'no-autovacuum').sql)
    await expect.poll(() => examine(own)).toEqual([])
  })
})
