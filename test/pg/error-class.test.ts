import { expect, test } from 'vitest'
import { concernsAll } from '../../src/pg/error-class.js'

const coded = (code: string) => Object.assign(new Error(code), { code })

test.each(['23514', '22P02', 'P0001', '55P03'])('%s is about the row: its neighbours are written', (code) => {
  expect(concernsAll(coded(code))).toBe(false)
})

test.each(['08006', '40001', '53100', '25006', '57P01', 'XX000'])('%s would meet any row', (code) => {
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

test.each(['EPIPE', 'ECONNRESET', 'DEADLINE'])('%s is no word of the server, and says nothing of the row', (code) => {
  expect(concernsAll(coded(code))).toBe(true)
})
