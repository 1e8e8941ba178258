import { expect, test } from 'vitest'
import { concernsAll } from '../../src/pg/error-class.js'

const coded = (code: string) => Object.assign(new Error(code), { code })

test.each(['23514', '22P02', 'P0001', '55P03'])('%s is about the row: its neighbours are written', (code) => {
  expect(concernsAll(coded(code))).toBe(false)
})

test.each(['08006', '40001', '53100', '25006', '57P01', 'XX000', '0A000'])('%s would meet any row', (code) => {
  expect(concernsAll(coded(code))).toBe(true)
})

test.each(['42501', 'XX001'])('%s may be about one row: a policy refuses it, or it is corrupt', (code) => {
  expect(concernsAll(coded(code))).toBe(false)
})

test('what would be of any row is of one where a trigger raised it', () => {
  const missing = coded('42P01')
  expect(concernsAll(missing)).toBe(true)
  expect(concernsAll(Object.assign(missing, { where: 'PL/pgSQL function audit() line 1 at SQL statement' }))).toBe(
    false,
  )
  expect(concernsAll(Object.assign(coded('53100'), { where: 'PL/pgSQL function audit() line 1' }))).toBe(true)
})

test.each([
  'EPIPE',
  'ECONNRESET',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ERR_SSL_WRONG_VERSION_NUMBER',
  'DEADLINE',
  'NO_CONNECTION',
])('%s is of the connection, and says nothing of the row', (code) => {
  expect(concernsAll(coded(code))).toBe(true)
})

test.each([
  'Connection terminated unexpectedly',
  'Connection terminated due to connection timeout',
  'Query read timeout',
  'timeout exceeded when trying to connect',
  'Client has encountered a connection error and is not queryable',
])('node-postgres says "%s", by words alone: the connection is lost', (message) => {
  expect(concernsAll(new Error(message))).toBe(true)
})

const circle: { self?: unknown } = {}
circle.self = circle
test.each<[string, () => unknown]>([
  ['is part of a circle', () => JSON.stringify(circle)],
  ['is a bigint in an object', () => JSON.stringify({ id: 1n })],
  ['has a toJSON that throws', () => JSON.stringify({ toJSON: () => new Date(Number.NaN).toISOString() })],
  ['is too long', () => 'x'.repeat(2 ** 30)],
])('a value that can not be sent, as it %s, is about the row', (_, serialize) => {
  let thrown: unknown
  try {
    serialize()
  } catch (error) {
    thrown = error
  }
  expect(thrown).toBeInstanceOf(Error)
  expect(concernsAll(thrown)).toBe(false)
})

test('what somebody threw is about the row, though it sounds like a lost connection', () => {
  expect(concernsAll(new Error('terminating connection due to administrator command'))).toBe(false)
  expect(concernsAll(Object.assign(new Error('Connection terminated'), { code: 'ERR_INVALID_ARG_TYPE' }))).toBe(false)
  for (const thrown of ['ECONNRESET', undefined, null, 7, { code: 'ECONNRESET' }])
    expect(concernsAll(thrown)).toBe(false)
})
