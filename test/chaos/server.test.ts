import { afterAll, expect, inject, test } from 'vitest'
import { startPostgres } from '../../tools/postgres/start-postgres.js'
import { removeWorkerProgram } from './bundle.js'
import { play } from './play.js'
import { restartedServer } from './scenarios/restarted-server.js'

afterAll(removeWorkerProgram)

test(`${restartedServer.name}: ${restartedServer.promise}`, async () => {
  await using server = await startPostgres({ fsync: false, settings: { synchronous_commit: 'on' } })
  const servers = { faulty: server.url, witness: inject('serverUrl') }
  const { breaches } = await play(restartedServer, { servers, server, form: 'test', seed: 1 }, () => {})
  expect(breaches).toEqual([])
})
