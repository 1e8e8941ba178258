import type { Scenario } from './scenario.ts'
import { askedToStop } from './scenarios/asked-to-stop.ts'
import { changedTables } from './scenarios/changed-tables.ts'
import { cutAnswers } from './scenarios/cut-answers.ts'
import { deadlyJobs } from './scenarios/deadly-jobs.ts'
import { deafListener } from './scenarios/deaf-listener.ts'
import { everyMessage } from './scenarios/every-message.ts'
import { everythingAtRandom } from './scenarios/everything-at-random.ts'
import { extremeRows } from './scenarios/extreme-rows.ts'
import { hammeredLimits } from './scenarios/hammered-limits.ts'
import { jumpingClocks } from './scenarios/jumping-clocks.ts'
import { killedProcesses } from './scenarios/killed-processes.ts'
import { lostNetwork } from './scenarios/lost-network.ts'
import { oddHandlers } from './scenarios/odd-handlers.ts'
import { refusingDatabase } from './scenarios/refusing-database.ts'
import { restartedServer } from './scenarios/restarted-server.ts'
import { stoppedClocks } from './scenarios/stopped-clocks.ts'
import { takenConnections } from './scenarios/taken-connections.ts'

/** All there are, in the order of the promises. */
export const scenarios: readonly Scenario[] = [
  killedProcesses,
  restartedServer,
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
  everyMessage,
  hammeredLimits,
]
