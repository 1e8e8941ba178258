import type { Scenario } from './scenario.ts'
import { askedToStop } from './scenarios/asked-to-stop.ts'
import { cutAnswers } from './scenarios/cut-answers.ts'
import { killedProcesses } from './scenarios/killed-processes.ts'
import { lostNetwork } from './scenarios/lost-network.ts'
import { restartedServer } from './scenarios/restarted-server.ts'
import { stoppedClocks } from './scenarios/stopped-clocks.ts'

/** All there are, in the order of the promises. */
export const scenarios: readonly Scenario[] = [
  killedProcesses,
  restartedServer,
  lostNetwork,
  stoppedClocks,
  cutAnswers,
  askedToStop,
]
