import { expect, test } from 'vitest'
import { concernsAll } from '../../src/worker/database-error.js'

const coded = (code: string) => Object.assign(new Error(code), { code })

test.each(['23514', '22P02', 'P0001', '55P03'])('%s is about the row: its neighbours are written', (code) => {
  expect(concernsAll(coded(code))).toBe(false)
})

test.each(['08006', '40001', '53100', '25006', '57P01', 'XX000'])('%s would meet any row', (code) => {
  expect(concernsAll(coded(code))).toBe(true)
})

test.each(['EPIPE', 'ECONNRESET', 'DEADLINE'])('%s is no word of the server, and says nothing of the row', (code) => {
  expect(concernsAll(coded(code))).toBe(true)
})
