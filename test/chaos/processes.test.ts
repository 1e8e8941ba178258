import { expect, inject, test } from 'vitest'
import { play } from './play.js'
import { askedToStop } from './scenarios/asked-to-stop.js'
import { changedTables } from './scenarios/changed-tables.js'
import { cutAnswers } from './scenarios/cut-answers.js'
import { deadlyJobs } from './scenarios/deadly-jobs.js'
import { deafListener } from './scenarios/deaf-listener.js'
import { everythingAtRandom } from './scenarios/everything-at-random.js'
import { extremeRows } from './scenarios/extreme-rows.js'
import { jumpingClocks } from './scenarios/jumping-clocks.js'
import { killedProcesses } from './scenarios/killed-processes.js'
import { lostNetwork } from './scenarios/lost-network.js'
import { oddHandlers } from './scenarios/odd-handlers.js'
import { refusingDatabase } from './scenarios/refusing-database.js'
import { stoppedClocks } from './scenarios/stopped-clocks.js'
import { takenConnections } from './scenarios/taken-connections.js'

const servers = { faulty: inject('serverUrl'), witness: inject('serverUrl') }

/** In their short form these leave the server, which other tests use, alone. */
const nobody = { halt: () => Promise.reject(), resume: () => Promise.reject() }

test.concurrent.each([
  killedProcesses,
  lostNetwork,
  stoppedClocks,
  cutAnswers,
  deafListener,
  takenConnections,
  deadlyJobs,
  oddHandlers,
  refusingDatabase,
  askedToStop,
  jumpingClocks,
  extremeRows,
  changedTables,
  everythingAtRandom,
])('$name: $promise', async (scenario) => {
  const { breaches } = await play(scenario, { servers, server: nobody, form: 'test', seed: 1 }, () => {})
  expect(breaches).toEqual([])
})
