import { afterAll, expect, inject, test } from 'vitest'
import { removeWorkerProgram } from './bundle.js'
import { play } from './play.js'
import { everyMessage } from './scenarios/every-message.js'
import { restartedServer } from './scenarios/restarted-server.js'
import { scenarios } from './scenarios.js'

afterAll(removeWorkerProgram)

const servers = { faulty: inject('serverUrl'), witness: inject('serverUrl') }

/** In their short form these leave the server, which other tests use, alone. */
const nobody = { halt: () => Promise.reject(), resume: () => Promise.reject() }

const apart = [restartedServer, everyMessage] // each has a file of its own
const chosen = scenarios.filter((scenario) => !apart.includes(scenario))

test.concurrent.each(chosen)('$name: $promise', async (scenario) => {
  const { breaches } = await play(scenario, { servers, server: nobody, form: 'test', seed: 1 }, () => {})
  expect(breaches).toEqual([])
})
