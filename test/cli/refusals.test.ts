import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'kysely'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import { connectionError } from '../../src/pg/connection-error.js'
import { type Postgres, startPostgres } from '../../tools/postgres/start-postgres.js'
import { testDatabase } from '../support/database.js'
import { startProxy } from '../support/proxy.js'
import { run } from './terminal.js'

const { db, url } = await testDatabase()
const password = 's3cret/ü'
const encoded = encodeURIComponent(password)

/** What the command says of a URL: one line, exit code 1, and nothing of the password. */
async function refusal(database: string | undefined): Promise<string> {
  const { code, stdout, stderr } = await run(['generate'], database === undefined ? {} : { DATABASE_URL: database })
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
  expect(stderr).toMatch(/^kysely-jobs: [^\n]+\n$/)
  for (const part of [password, encoded, 's3cret']) expect(stderr).not.toContain(part)
  return stderr.slice('kysely-jobs: '.length, -1)
}

/** The URL of a server of ours on loopback, which does with its connections as told. */
async function listening(onConnection: (socket: Socket) => void): Promise<URL> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => {}))
    onConnection(socket)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return new URL(`postgres://ada:${encoded}@127.0.0.1:${(server.address() as { port: number }).port}/shop`)
}

describe('the URL', () => {
  const remedy =
    'write it as postgres://user:password@host:port/name, with each of : / ? # [ ] @ % in user or password percent-encoded (@ is %40)'

  test.each([undefined, ''])('%j: none is given', async (none) => {
    expect(await refusal(none)).toBe(
      'No database is named: give --url postgres://user:password@host:port/name, or set DATABASE_URL',
    )
  })

  test.each([
    'mysql://ada:s3cret@localhost/shop',
    'ada:s3cret@localhost/shop',
    'host=localhost password=s3cret',
    's3cret',
  ])('%s is none of Postgres', async (other) =>
    expect(await refusal(other)).toBe(`The database URL is no Postgres URL: ${remedy}`),
  )

  test.each([
    'postgres://ada:s3cret@localhost:70000/shop',
    'postgres://ada:s3cret@local host:x/shop',
    'postgres://ada:s3cret/x@localhost:5432/shop',
    'postgres://ada:12/s3cret@localhost/shop',
    'postgres://ada:12?s3cret@localhost/shop',
    'postgres://ada:12#s3cret@localhost/shop',
    'postgres://ada:s3cret#x@localhost/shop',
    'postgres:///ada:s3cret@localhost/shop',
    'postgres://ada:s3cret%C3@localhost/shop',
    'postgres://ada:s3cret[@localhost:a]/shop',
    'postgres://ada:s3cret@localhost/shop?sslnegotiation=s3cret',
  ])('%s is malformed', async (malformed) => {
    expect(await refusal(malformed)).toBe(`The database URL can't be read: ${remedy}`)
  })

  test('a certificate that it names and that is not there', async () => {
    expect(await refusal(`postgres://ada:${encoded}@localhost/shop?sslrootcert=/no/such.crt`)).toBe(
      "ENOENT: no such file or directory, open '/no/such.crt'",
    )
  })
})

describe('the network', () => {
  test('a host that is not there', async () => {
    const host = 'x'.repeat(64) // longer than a name can be: nobody is asked
    expect(await refusal(`postgres://ada:${encoded}@${host}/shop`)).toBe(
      `There is no host ${host}: check the name, and this machine's network`,
    )
  })

  test('a port where nobody listens', async () => {
    expect(await refusal(`postgres://ada:${encoded}@127.0.0.1:1/shop`)).toBe(
      'Nothing listens at 127.0.0.1:1: check host and port, and that the server is running',
    )
    expect(await refusal(`postgres://ada:${encoded}@localhost:1/shop`)).toMatch(/^Nothing listens at localhost:1: /)
    for (const socket of ['postgres:///shop?host=/no/folder', `postgres://ada:${encoded}@/shop?host=/no/folder`]) {
      expect(await refusal(socket)).toMatch(/^Nothing listens at \/no\/folder: /)
    }
  })

  test('a certificate that nobody vouches for', () => {
    const error = Object.assign(new Error('self-signed certificate'), { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' })
    const target = new pg.Client('postgres://ada@[::1]:5432/shop')
    expect(connectionError(error, target)).toMatchObject({
      message:
        'The certificate of [::1]:5432 is not trusted (self-signed certificate): give sslrootcert=<file>, or sslmode=no-verify, in the URL',
      cause: error,
    })
  })

  test('a server that hangs up', async () => {
    const { host, href } = await listening((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))
    expect(await refusal(href)).toBe(
      `${host} hung up: check that a Postgres server, or its pooler, is what listens there`,
    )
  })

  test('a server that takes the connection and never answers', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    onTestFinished(() => void vi.useRealTimers())
    const asked = Promise.withResolvers<void>()
    const { host, href } = await listening((socket) => socket.once('data', () => asked.resolve()))
    const refused = refusal(href)
    await asked.promise
    vi.advanceTimersByTime(10_000)
    expect(await refused).toBe(
      `${host} does not answer: check host, port and firewalls, and that it is a Postgres server`,
    )
  })

  test('a query that waits for a lock, on a connection that is then cut off without a word', async () => {
    const trx = await db.startTransaction().execute()
    onTestFinished(async () => void (await trx.rollback().execute()))
    await sql`lock table pg_catalog.pg_enum in access exclusive mode`.execute(trx)
    const proxy = await startProxy(url)
    onTestFinished(proxy.close)
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    onTestFinished(() => void vi.useRealTimers())
    const refused = refusal(proxy.url)
    const waits = sql`select from pg_locks where not granted and relation = 'pg_enum'::regclass`
    while ((await waits.execute(db)).rows.length === 0);
    proxy.swallow()
    await vi.advanceTimersByTimeAsync(30_000)
    await vi.advanceTimersByTimeAsync(30_000) // the end of the transaction is not answered either
    expect(await refused).toBe(
      `${new URL(proxy.url).host} took too long (Query read timeout): try again when it has less to do, or fewer locks`,
    )
  })
})

describe('a server that asks for passwords', () => {
  let server: Postgres
  let host: string
  const folder = mkdtempSync(join(tmpdir(), 'kysely-jobs-hba-'))
  const at = (user: string, name = 'shop') => `postgres://${user}@${host}/${name}`

  beforeAll(async () => {
    const hba = join(folder, 'pg_hba.conf')
    const rules = ['host all postgres 127.0.0.1/32 trust', 'host private all 127.0.0.1/32 reject']
    writeFileSync(hba, [...rules, 'host all all 127.0.0.1/32 scram-sha-256', ''].join('\n'))
    chmodSync(folder, 0o755)
    server = await startPostgres({ fsync: false, settings: { hba_file: hba } })
    host = `127.0.0.1:${server.port}`
    const admin = new pg.Client(server.url)
    await admin.connect()
    await admin.query(
      `create user ada password '${password}'; create user eve password '${password}' connection limit 0`,
    )
    for (const name of ['shop', 'closed']) await admin.query(`create database ${name}`)
    await admin.query('revoke connect on database closed from public')
    await admin.end()
  })
  afterAll(async () => {
    await server.stop()
    rmSync(folder, { recursive: true })
  })

  test('lets in whoever knows the password, and shows no schema that they may not use', async () => {
    const admin = new pg.Client(at('postgres'))
    await admin.connect()
    await admin.query('create table seen (id int); create schema closed; create table closed.unseen (id int)')
    await admin.end()
    const { code, stdout, stderr } = await run(['generate', '--url', at(`ada:${encoded}`)])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toContain('\nexport interface DB {\n  seen: Seen\n}\n')
  })

  test.each([
    ['a wrong password', `ada:x${encoded}`, 'Wrong password for the user ada, or no such user: check both in the URL'],
    ['an unknown user', `bob:${encoded}`, 'Wrong password for the user bob, or no such user: check both in the URL'],
  ])('%s', async (_, user, said) => {
    expect(await refusal(at(user))).toBe(said)
  })

  test('no password at all', async () => {
    expect(await refusal(at('ada'))).toBe(
      `${host} asks for a password: put it into the URL, as postgres://user:password@host/name`,
    )
  })

  test('a database that is not there', async () => {
    expect(await refusal(at(`ada:${encoded}`, 'shap'))).toBe(
      `There is no database shap at ${host}: check its name in the URL, or create it`,
    )
  })

  test('a database that the user may not enter', async () => {
    expect(await refusal(at(`ada:${encoded}`, 'closed'))).toMatch(
      /^The user ada may not do this \(permission denied for database "closed"\): grant it, or use another$/,
    )
    expect(await refusal(at(`ada:${encoded}`, 'private'))).toMatch(
      /^127.* refuses us \(pg_hba.conf rejects connection .*\): check user, password and pg_hba.conf, or add \?sslmode=require to the URL$/,
    )
  })

  test('too many connections', async () => {
    expect(await refusal(at(`eve:${encoded}`))).toBe(
      `${host} is not ready (too many connections for role "eve"): try again later`,
    )
  })

  test('SSL that is asked for and not there', async () => {
    expect(await refusal(`${at(`ada:${encoded}`)}?sslmode=verify-full`)).toBe(
      `${host} refuses SSL: take sslmode out of the URL, or turn ssl on at the server`,
    )
  })
})
