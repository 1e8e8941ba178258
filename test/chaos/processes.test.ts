import { expect, inject, test } from 'vitest'
import { play } from './play.js'
import { askedToStop } from './scenarios/asked-to-stop.js'
import { cutAnswers } from './scenarios/cut-answers.js'
import { killedProcesses } from './scenarios/killed-processes.js'
import { lostNetwork } from './scenarios/lost-network.js'
import { stoppedClocks } from './scenarios/stopped-clocks.js'

const servers = { faulty: inject('serverUrl'), witness: inject('serverUrl') }

/** In their short form these leave the server, which other tests use, alone. */
const nobody = { halt: () => Promise.reject(), resume: () => Promise.reject() }

test.concurrent.each([killedProcesses, lostNetwork, stoppedClocks, cutAnswers, askedToStop])(
  '$name: $promise',
  async (scenario) => {
    const { breaches } = await play(scenario, { servers, server: nobody, form: 'test', seed: 1 }, () => {})
    expect(breaches).toEqual([])
  },
)
