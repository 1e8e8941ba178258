import { afterAll, expect, inject, test } from 'vitest'
import { removeWorkerProgram } from './bundle.js'
import { play } from './play.js'
import { everyMessage } from './scenarios/every-message.js'

afterAll(removeWorkerProgram)

const servers = { faulty: inject('serverUrl'), witness: inject('serverUrl') }

/** It leaves the server, which other tests use, alone. */
const nobody = { halt: () => Promise.reject(), resume: () => Promise.reject() }

test(`a sample of ${everyMessage.name}: ${everyMessage.promise}`, { timeout: 60_000 }, async () => {
  const { breaches } = await play(everyMessage, { servers, server: nobody, form: 'test', seed: 1 }, () => {})
  expect(breaches).toEqual([])
})
