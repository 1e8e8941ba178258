import { inspect } from 'node:util'
import type { Outcome } from '../../queue/outcome.js'
import type { Attempt } from '../run/attempt.js'
import { isHandlerOutcome } from '../run/handler-outcome.js'
import { outcomeOfError, outcomeOfValue } from '../run/outcome.js'
import type { WorkerScope } from '../scope.js'

/** A batch handler returned what tells no outcome of its jobs. */
class BatchResultError extends TypeError {
  override readonly name = 'BatchResultError'
  readonly code = 'INVALID_RESULT'
}

/** What a handler says of one job: that it returned something, or threw. */
type Told = { readonly returned: unknown } | { readonly thrown: unknown }

/**
 * What to write of each job, by what the handler of their batch returned.
 * @param isWhole a job whose result can't be stored concerns all of them
 * @throws BatchResultError; ResultError where `isWhole`
 */
export function batchOutcomes(
  scope: WorkerScope,
  attempts: readonly Attempt[],
  returned: unknown,
  isWhole: boolean,
): Map<Attempt, Outcome> {
  const outcomeOf = (attempt: Attempt, told: Told): Outcome => {
    if ('thrown' in told) return outcomeOfError(scope, attempt, told.thrown)
    try {
      return outcomeOfValue(scope, attempt, told.returned)
    } catch (error) {
      if (isWhole) throw error
      return outcomeOfError(scope, attempt, error)
    }
  }
  const told = toldOf(attempts, returned)
  return new Map(attempts.map((attempt, place) => [attempt, outcomeOf(attempt, told(attempt, place))]))
}

function toldOf(attempts: readonly Attempt[], returned: unknown): (attempt: Attempt, place: number) => Told {
  if (returned === undefined || isHandlerOutcome(returned)) return () => ({ returned })
  if (Array.isArray(returned)) return toldByPlace(attempts, returned)
  if (returned instanceof Map) return toldByJob(attempts, returned)
  throw new BatchResultError(
    `A batch handler returned ${named(returned)}; return nothing where all jobs have succeeded, one outcome of all (snooze, retryIn, cancel), an array of one for each job, or a Map from jobs, or their ids, to outcomes`,
  )
}

function toldByPlace(attempts: readonly Attempt[], returned: readonly unknown[]) {
  if (returned.length !== attempts.length) {
    throw new BatchResultError(
      `A batch handler returned ${returned.length} of ${attempts.length} outcomes; return one for each job, in their order`,
    )
  }
  const settled = returned.every(isSettled) ? returned : undefined
  return (_: Attempt, place: number): Told => {
    const one = settled?.[place]
    if (one === undefined) return errorOr(returned[place])
    return one.status === 'rejected' ? { thrown: one.reason } : errorOr(one.value)
  }
}

/** Those that it lacks have succeeded. */
function toldByJob(attempts: readonly Attempt[], returned: ReadonlyMap<unknown, unknown>) {
  const known = new Set(attempts.flatMap(({ job, id }): unknown[] => [job, id]))
  for (const key of returned.keys()) {
    if (known.has(key)) continue
    throw new BatchResultError(`A batch handler returned an outcome for ${named(key)}, which is no job of its batch`)
  }
  return ({ job, id }: Attempt): Told => errorOr(returned.has(job) ? returned.get(job) : returned.get(id))
}

/** In a few words, whatever it is. */
function named(value: unknown): string {
  if (value instanceof Error) return `an ${value.name}`
  return inspect(value, { depth: 0, breakLength: Number.POSITIVE_INFINITY }).slice(0, 100)
}

function errorOr(value: unknown): Told {
  return value instanceof Error ? { thrown: value } : { returned: value }
}

/** What `Promise.allSettled` gives of each. */
function isSettled(value: unknown): value is PromiseSettledResult<unknown> {
  if (typeof value !== 'object' || value === null) return false
  const [status, keys] = [Reflect.get(value, 'status'), Object.keys(value).join()]
  return (status === 'fulfilled' && keys === 'status,value') || (status === 'rejected' && keys === 'status,reason')
}
