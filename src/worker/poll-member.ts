import { quotedName } from '../schema/names.js'
import type { Subscription } from '../watch/shared-listener.js'
import type { Claimer } from './claim/claimer.js'
import { drifting, type Member } from './claim/poller.js'
import type { LeaseRenewer } from './lease/lease-renewer.js'
import type { Rescuer } from './lease/rescuer.js'
import { pollIntervalUnheard } from './options.js'
import type { WorkerScope } from './scope.js'

/** So often (milliseconds) a worker that is not told asks what is paused, where something may be: within a second no job begins. */
const pausesUnheard = 800

/** The parts of a worker that a poll is for. */
interface PolledParts {
  readonly scope: WorkerScope
  readonly claimer: Claimer
  readonly renewer: LeaseRenewer
  readonly rescuer: Rescuer
  readonly subscription: Subscription | undefined
  due(milliseconds: number): void
  ring(): void
}

/** A worker as the poller knows it. */
export function memberOf({ scope, claimer, renewer, rescuer, subscription, due, ring }: PolledParts): Member {
  const { table, claimedJobs: jobs, settings, pauseReader } = scope
  const isHeard = () => subscription?.state === 'listening'
  return {
    table: quotedName(table),
    claim: settings.where === undefined ? quotedName(table) : scope.worker,
    get watched() {
      const { lease } = settings
      return { jobs, lease, claim: scope.claim, since: claimer.horizon, pauses: pauseReader.place }
    },
    carry: subscription?.carry,
    patience: () => {
      const pauses = pauseReader.isPossible && !isHeard() ? pausesUnheard : Number.POSITIVE_INFINITY
      return Math.min(pollInterval(scope, isHeard()), settings.lease / 3, pauses)
    },
    due,
    rescue: () => rescuer.rescue(),
    held: () => (isHeard() ? undefined : renewer.lasting),
    check: () => renewer.check(),
    paused: (version) => pauseReader.polled(version),
    unsure: (error) => {
      if (!pauseReader.failed(error)) scope.report(error, 'looking for due jobs and expired leases')
      ring()
    },
  }
}

/** With a listener that hears, polling is a safety net. */
function pollInterval({ settings }: WorkerScope, isHeard: boolean): number {
  const { pollInterval, listen } = settings
  const isDeaf = listen !== undefined && !isHeard
  return drifting(isDeaf ? Math.min(pollInterval, pollIntervalUnheard) : pollInterval)
}
