import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { expect, onTestFinished, test } from 'vitest'
import { gateOf } from '../../src/cli/serve/gate.js'
import { testDatabase } from '../support/database.js'
import { put, shop } from './shop.js'
import { start } from './terminal.js'

const { url } = await testDatabase(async (db) => {
  await shop(db)
  await put(db, [1, 3], 'failed', { error: 'no such host' })
})

/** A dashboard that is served, and how it is asked; no redirect is followed. */
async function serve(...argv: string[]) {
  const program = start(['dashboard', '--port', '0', ...argv], url)
  let printed = ''
  program.process.stdout?.on('data', (data) => {
    printed += data
  })
  await program.said(/\n/)
  const address = new URL(printed.trim())
  const ask = (path: string, headers: Record<string, string> = {}, body?: string) =>
    new Promise<{ status: number; headers: NodeJS.Dict<string | string[]>; body: string }>((resolve, reject) => {
      const method = body === undefined ? 'GET' : 'POST'
      const form =
        body === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded', origin: address.origin }
      const asked = request(
        { host: '127.0.0.1', port: address.port, path, method, headers: { ...form, ...headers } },
        (answer) => {
          text(answer).then(
            (body) => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body }),
            reject,
          )
        },
      )
      asked.on('error', reject).end(body)
    })
  const visit = async () => {
    const { headers } = await ask(`/${address.search}`)
    return { cookie: String(headers['set-cookie']).split(';')[0] ?? '' }
  }
  return { program, address, ask, visit }
}

test('dashboard serves all job tables to who has its address, until Ctrl-C', async () => {
  const { program, address, ask, visit } = await serve()
  expect(address).toMatchObject({ hostname: '127.0.0.1', protocol: 'http:' })
  const first = await ask(`/${address.search}`)
  expect({ status: first.status, location: first.headers.location }).toEqual({ status: 303, location: '/' })
  expect(String(first.headers['set-cookie'])).toMatch(/^kysely-jobs-\d+=[\w-]{32}; Path=\/; HttpOnly; SameSite=Strict$/)
  const { status, body } = await ask('/', await visit())
  expect(status).toBe(200)
  for (const name of ['mail_jobs', 'My shop.Odd &quot;jobs&quot;']) expect(body).toContain(name)
  program.process.kill('SIGINT')
  expect((await program.ended).code).toBe(0)
})

test('nobody else gets in: without the cookie, with another token, or by another name of the host', async () => {
  const { address, ask, visit } = await serve()
  const cookie = await visit()
  const wrong = { cookie: cookie.cookie.replace(/.$/, (last) => (last === 'x' ? 'y' : 'x')) }
  for (const [path, headers] of [
    ['/', {}],
    ['/?token=x', {}],
    ['/', wrong],
    ['/', { ...cookie, host: 'evil.example' }],
    [`/${address.search}`, { host: 'evil.example' }],
  ] as const) {
    const { status, body, headers: answered } = await ask(path, headers)
    const isHost = !('host' in headers)
    const text = isHost ? 'Open the address that the terminal printed' : 'You may not see this page.'
    expect({ path, headers, status, cookie: answered['set-cookie'] }).toEqual({
      ...{ path, headers, status: 403, cookie: undefined },
    })
    expect(body).toContain(text)
  }
})

test('what is done there is done, but not with --read-only', async () => {
  const sure = 'verb=retry&of=all&sure=yes'
  const strict = await serve('--read-only', '--table', 'mail_jobs')
  expect((await strict.ask('/tables/mail_jobs/bulk?state=failed', await strict.visit(), sure)).status).toBe(403)
  const overview = await strict.ask('/', await strict.visit())
  expect(overview.body).not.toContain('Odd')
  const { ask, visit } = await serve('mail_jobs')
  expect((await ask('/tables/mail_jobs/bulk?state=failed', await visit(), sure)).status).toBe(303)
})

test('a port that is taken is told; where none is named, the next is taken', async () => {
  const other = createServer().listen(0, '127.0.0.1')
  onTestFinished(() => void other.close())
  await new Promise((resolve) => other.once('listening', resolve))
  const { port } = other.address() as AddressInfo
  expect(await start(['dashboard', '--port', String(port)], url).ended).toEqual({
    code: 1,
    stdout: '',
    stderr: `kysely-jobs: Port ${port} can't be listened at (EADDRINUSE): give another --port, or none\n`,
  })
  const [one, two] = [start(['dashboard', '--json'], url), start(['dashboard', '--json'], url)]
  await Promise.all([one, two].map((program) => program.said(/^\{"url":"http:\/\/127\.0\.0\.1:\d+\/\?token=/)))
})

test.each([
  [['--port', 'http'], '--port http is invalid: give a number up to 65535'],
  [['--table', 'mails'], 'There is no job table mails'],
])('dashboard %j is a mistake', async (argv, message) => {
  const { code, stdout, stderr } = await start(['dashboard', ...argv], url).ended
  expect({ code, stdout, stderr }).toEqual({ code: 2, stdout: '', stderr: expect.stringContaining(message) })
})

test('of the gate: the token is asked for each time, and the host too', () => {
  const gate = gateOf('right', 4747)
  const asked = (path: string, headers: Record<string, string>) =>
    gate(new Request(`http://127.0.0.1:4747${path}`, { headers: { host: '127.0.0.1:4747', ...headers } }))
  expect(asked('/', { cookie: 'a=b; kysely-jobs-4747=right' })).toBe('all')
  for (const cookie of ['', 'kysely-jobs-4747=wrong', 'kysely-jobs-4748=right', 'kysely-jobs-4747'])
    expect(asked('/', { cookie })).toMatchObject({ status: 403 })
  expect(asked('/', { cookie: 'kysely-jobs-4747=right', host: 'evil.example:4747' })).toBe(false)
  expect(asked('/?token=wrong', {})).toMatchObject({ status: 403 })
  expect(asked('//evil.example/?token=right', {})).toMatchObject({ status: 303 })
})
