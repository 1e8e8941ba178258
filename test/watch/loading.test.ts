import { createRequire } from 'node:module'
import { expect, test, vi } from 'vitest'
import * as main from '../../src/index.js'
import { Listener } from '../../src/watch/listener.js'

const { cache } = createRequire(import.meta.url)

test('whoever imports us does not load pg-listen, which no bundle can hold', () => {
  expect(main.createWorker).toBeTypeOf('function')
  expect(Object.keys(cache).filter((path) => /pg-listen|pg-format/.test(path))).toEqual([])
})

test('where pg-listen is not there, whoever listens is told the remedy', async () => {
  vi.doMock('pg-listen', () => {
    throw new Error('Cannot find package')
  })
  const hooks = { notified: () => {}, lost: () => {} }
  await expect(Listener.open('postgres://ada@127.0.0.1:1/db', hooks)).rejects.toMatchObject({
    code: 'LISTENER_LOAD',
    message: expect.stringContaining('mark it as external'),
    cause: expect.any(Error),
  })
  vi.doUnmock('pg-listen')
})
