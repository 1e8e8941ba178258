import type { Outcome } from '../../queue/outcome.js'
import { hiddenWait } from '../../schema/own-part.js'
import { shownValue } from '../../schema/row.js'
import { LeaseLostError } from '../run/abort-reason.js'
import type { Attempt } from '../run/attempt.js'
import type { WorkerScope } from '../scope.js'
import type { Entry } from './batch.js'

/** Tells of an outcome that is written. */
export function tellOutcome({ tally, hears, tell }: WorkerScope, of: Attempt, outcome: Outcome): void {
  const [wait, duration] = [waitOf(of), of.duration]
  if (outcome.kind === 'succeeded' && !hears(outcome.kind)) {
    tally.succeeded(wait, duration) // of fast jobs there are many
    return
  }
  const about = { job: of.job, attempt: of.attempt, wait, duration, ...tracedBy(of) }
  switch (outcome.kind) {
    case 'succeeded':
    case 'released':
      tell(outcome.kind, about)
      break
    case 'retry':
    case 'failed':
      tell(outcome.kind, { ...about, error: outcome.error })
      break
    case 'timed_out':
      tell('timedOut', { ...about, error: outcome.error })
      break
    case 'snoozed':
      tell('snoozed', { ...about, delay: outcome.delay })
      break
    case 'cancelled':
      tell('cancelled', { ...about, reason: outcome.reason })
      break
  }
}

/** The handler learns it by its signal, whoever listens by an event. */
export function tellLost(scope: WorkerScope, attempt: Attempt, why: string): void {
  const reason = new LeaseLostError(`Job ${attempt.id}, attempt ${attempt.attempt}: ${why}`)
  attempt.lose(reason)
  scope.tell('lost', { job: attempt.job, attempt: attempt.attempt, reason, ...tracedBy(attempt) })
}

function tracedBy({ trace }: Attempt): { traceId?: string } {
  return trace === undefined ? {} : { traceId: trace.traceId }
}

/** Milliseconds that its job waited for its handler: from due to claim by the database's clock, as both are in the row; from the sending of the claim on by ours. */
export function waitOf({ job, claimedAt, begunAt }: Attempt): number | undefined {
  if (begunAt === undefined) return undefined
  const wait = waitUntilClaimed(job)
  return wait === undefined ? undefined : Math.max(0, wait) + begunAt - claimedAt
}

function waitUntilClaimed(job: object): number | undefined {
  const hidden = hiddenWait(job)
  if (hidden !== null) return hidden
  const [due, claimed] = [shownValue(job, 'run_at'), shownValue(job, 'locked_at')]
  return due instanceof Date && claimed instanceof Date ? claimed.getTime() - due.getTime() : undefined
}

/** What a handler throws after its completion has committed changes nothing, and would be seen nowhere. */
export function warnIfThrown({ settings, userJobs }: WorkerScope, { id, attempt, of, ...outcome }: Entry): void {
  if (!of.completed || of.abortReason !== undefined || !('error' in outcome)) return
  const facts = { table: userJobs.name, id, attempt, error: outcome.error }
  settings.logger.warn(facts, `${userJobs.name}: the handler threw after it had completed its job`)
}
