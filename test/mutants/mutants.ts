import { aroundThem } from './around-them.ts'
import { inAging } from './in-aging.ts'
import { inArchives } from './in-archives.ts'
import { inBatches } from './in-batches.ts'
import { inCitus } from './in-citus.ts'
import { inCli } from './in-cli.ts'
import { inConformance } from './in-conformance.ts'
import { inConnections } from './in-connections.ts'
import { inDashboard } from './in-dashboard.ts'
import { inDashboardForms } from './in-dashboard-forms.ts'
import { inDeletions } from './in-deletions.ts'
import { inDoctor } from './in-doctor.ts'
import { inEngines } from './in-engines.ts'
import { inEnqueues } from './in-enqueues.ts'
import { inHolds } from './in-holds.ts'
import { inLimits } from './in-limits.ts'
import { inObservations } from './in-observations.ts'
import { inPartitions } from './in-partitions.ts'
import { inPauses } from './in-pauses.ts'
import { inRecords } from './in-records.ts'
import { inSchedules } from './in-schedules.ts'
import { inStatements } from './in-statements.ts'
import { inTelemetry } from './in-telemetry.ts'
import { inViewsOfNodes } from './in-views-of-nodes.ts'
import { inWorkers } from './in-workers.ts'
import type { Mutant } from './mutant.ts'

/** All faults that the suite must catch. */
export const mutants: readonly Mutant[] = [
  ...inStatements,
  ...inTelemetry,
  ...inEnqueues,
  ...inEngines,
  ...inWorkers,
  ...inAging,
  ...inDeletions,
  ...inDoctor,
  ...inArchives,
  ...inHolds,
  ...inLimits,
  ...inBatches,
  ...inSchedules,
  ...inRecords,
  ...inPartitions,
  ...inPauses,
  ...inObservations,
  ...inCitus,
  ...inViewsOfNodes,
  ...inCli,
  ...inConformance,
  ...inDashboard,
  ...inDashboardForms,
  ...aroundThem,
  ...inConnections,
]
