import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import pg from 'pg'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { type Postgres, startPostgres } from '../../tools/postgres/start-postgres.ts'

test('a server has the settings it was given, and leaves nothing behind', async () => {
  const postgres = await startPostgres({ fsync: false, settings: { max_connections: '7' } })
  const client = await connect(postgres.url)
  expect(await shown(client, 'max_connections')).toBe('7')
  const folder = await shown(client, 'data_directory')
  await client.end()
  await postgres.stop()
  await postgres.stop() // a second time is harmless
  await expect(connect(postgres.url)).rejects.toThrow('ECONNREFUSED')
  expect(existsSync(folder)).toBe(false)
})

test('a folder for the data outlives the server', async () => {
  const dataDirectory = mkdtempSync(join(tmpdir(), 'kysely-jobs-data-'))
  onTestFinished(() => rmSync(dataDirectory, { recursive: true }))
  await using first = await startPostgres({ fsync: false, dataDirectory })
  const before = await connect(first.url)
  await before.query('create table kept as select 1 as one')
  await before.end()
  await first.stop()
  const refused = startPostgres({ dataDirectory, settings: { max_connections: 'many' } })
  await expect(refused, 'one that cannot start says why').rejects.toThrow(/did not start.*max_connections/s)
  await using second = await startPostgres({ fsync: false, dataDirectory })
  const after = await connect(second.url)
  expect((await after.query('select one from kept')).rows).toEqual([{ one: 1 }])
  await after.end()
})

describe('a server that is taken down', () => {
  let postgres: Postgres
  beforeAll(async () => {
    postgres = await startPostgres({ fsync: false, settings: { synchronous_commit: 'on' } })
  })

  test.each(['fast', 'immediate', 'kill'] as const)('(%s) comes back as it was', async (way) => {
    const before = await connect(postgres.url)
    await before.query(`create table ${way} as select 1 as one`)
    const ended = new Promise((resolve) => before.once('end', resolve)) // a backend outlives its postmaster by a moment
    await postgres.halt(way)
    await ended
    await expect(connect(postgres.url)).rejects.toThrow('ECONNREFUSED')
    await postgres.resume()
    const after = await connect(postgres.url)
    expect((await after.query(`select one from ${way}`)).rows).toEqual([{ one: 1 }])
    await after.end()
  })

  test('can be stopped while it is down', async () => {
    await postgres.halt('fast')
    await postgres.stop()
  })
})

test('a server dies with its program, also when that is killed', async () => {
  const program = `
    const { startPostgres } = await import(process.argv[1])
    console.log((await startPostgres({ fsync: false })).url)
    setInterval(() => {}, 1000)`
  const file = new URL('../../tools/postgres/start-postgres.ts', import.meta.url).href
  const parent = spawn(process.execPath, ['--input-type=module', '-e', program, file], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [url] = await once(createInterface({ input: parent.stdout }), 'line')
  const client = await connect(url)
  const folder = await shown(client, 'data_directory')
  const ended = new Promise((resolve) => client.once('end', resolve))
  parent.kill('SIGKILL')
  await ended
  await expect.poll(() => existsSync(folder)).toBe(false)
})

async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url })
  client.on('error', () => {})
  await client.connect()
  return client
}

async function shown(client: pg.Client, setting: string): Promise<string> {
  const { rows } = await client.query('select current_setting($1) as value', [setting])
  return rows[0].value
}
