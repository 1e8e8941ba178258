import { finalStatuses } from 'kysely-jobs/queue'
import type { Deed, Move, Signature, Silence } from './tables.ts'

/** A job as it is when all is over. */
export interface FinalJob {
  readonly id: string
  readonly act: string
  readonly status: string
  readonly attempts_count: number
  readonly last_error: string | null
  readonly result: Signature | null
}

/** All that is known of a run. */
export interface Evidence {
  readonly jobs: readonly FinalJob[]
  readonly moves: readonly Move[]
  readonly deeds: readonly Omit<Deed, 'id'>[]
  readonly effects: readonly { readonly job_id: string; readonly attempt: number }[]
  readonly silences: readonly Silence[]
  readonly workers: readonly { readonly worker: string; readonly pid: number }[]
  /** What is wrong with how the processes ended. */
  readonly complaints: readonly string[]
  readonly maxAttempts: number
  readonly lease: number
  /** How long (milliseconds) transactions hold jobs, in place of leases. */
  readonly holdFor?: number | undefined
}

const finals = new Set<string>(finalStatuses)

/** Timers that were due during a silence need a moment when it is over. */
const awakening = 500

/** What the invariants say against a run; nothing, where every promise was held. */
export function checkInvariants(evidence: Evidence): string[] {
  return [
    ...unfinished(evidence),
    ...unearned(evidence),
    ...unfenced(evidence),
    ...hastyRescues(evidence),
    ...effectsNotOnce(evidence),
    ...tooManyAttempts(evidence),
    ...overlaps(evidence),
    ...evidence.complaints,
  ]
}

/** Every job is final. */
function unfinished({ jobs }: Evidence): string[] {
  return jobs
    .filter(({ status }) => !finals.has(status))
    .map(({ id, status, attempts_count }) => `job ${id} is not final: ${status}, attempt ${attempts_count}`)
}

/** None succeeded without a handler's end. */
function unearned({ jobs, deeds }: Evidence): string[] {
  const ends = new Set(deeds.filter(({ how }) => how === 'returned').map(({ job, attempt }) => `${job} ${attempt}`))
  return jobs
    .filter(({ id, status, act, attempts_count: attempt }) => {
      // the end of a process between the commit of an effect and the handler's return takes nothing back
      return status === 'job_status_succeeded' && act !== 'complete' && !ends.has(`${id} ${attempt}`)
    })
    .map(({ id, attempts_count }) => `job ${id} succeeded by attempt ${attempts_count}, whose handler never ended`)
}

/** No outcome was written by an attempt that had lost its lease: who signed it held the row when it was written. */
function unfenced({ moves, workers, holdFor }: Evidence): string[] {
  const pidOf = new Map(workers.map(({ worker, pid }) => [worker, pid]))
  return moves
    .filter(({ to_status }) => to_status === 'job_status_succeeded')
    .filter(({ holder, attempt, result, writer }) => {
      const isHeld = holdFor !== undefined && holder === null // by the transaction that wrote it
      if (isHeld) return writer !== `chaos ${result?.pid}` || result?.attempt !== attempt + 1
      return holder === null || result?.pid !== pidOf.get(holder) || result?.attempt !== attempt
    })
    .map(({ job_id, holder, attempt, result }) => {
      const signed = `${JSON.stringify(result)}`
      return `job ${job_id}: the outcome of ${signed} was written over the lease of ${holder}, attempt ${attempt}`
    })
}

/** Nobody takes over a lease that has not expired. */
function hastyRescues({ moves, lease }: Evidence): string[] {
  return moves
    .filter((move) => isTakeover(move) && (move.unrenewed ?? 0) < lease)
    .map(({ job_id, unrenewed }) => `job ${job_id} was taken over ${unrenewed} ms into its lease of ${lease}`)
}

/** A move by which a job was taken from a worker that was gone. */
export function isTakeover({ last_error }: Move): boolean {
  return last_error?.startsWith('Lease expired') ?? false
}

/** Effects written through context.complete exist exactly once per job, and only where it succeeded. */
function effectsNotOnce({ jobs, effects }: Evidence): string[] {
  const counts = Map.groupBy(effects, ({ job_id }) => job_id)
  return jobs
    .filter(({ act }) => act === 'complete')
    .map(({ id, status }) => ({
      id,
      wanted: status === 'job_status_succeeded' ? 1 : 0,
      found: counts.get(id)?.length ?? 0,
    }))
    .filter(({ wanted, found }) => wanted !== found)
    .map(({ id, wanted, found }) => `job ${id} has ${found} effects in place of ${wanted}`)
}

/** Attempts never exceed the limit. */
function tooManyAttempts({ jobs, maxAttempts }: Evidence): string[] {
  return jobs
    .filter(({ attempts_count }) => attempts_count > maxAttempts)
    .map(({ id, attempts_count }) => `job ${id} had ${attempts_count} attempts of ${maxAttempts}`)
}

/**
 * Two attempts of one job overlap only where the first had lost its lease, and its signal had fired by then. Of one whose
 * transaction was cut off while it held its row nobody knows, until that would have ended.
 */
function overlaps({ deeds, moves, silences, holdFor }: Evidence): string[] {
  const silent = (pid: number, at: number) =>
    silences.some((silence) => silence.pid === pid && silence.since <= at && at <= silence.until + awakening)
  const movesOf = Map.groupBy(moves, ({ job_id }) => job_id)
  const found: string[] = []
  for (const [job, runs] of Map.groupBy(deeds, (deed) => deed.job)) {
    const sorted = runs.toSorted((a, b) => a.begun - b.begun)
    for (const [i, first] of sorted.entries()) {
      const second = sorted[i + 1]
      if (second === undefined || (first.ended ?? Number.POSITIVE_INFINITY) <= second.begun) continue
      const lost = (movesOf.get(job) ?? []).some(
        ({ from_status, attempt, at }) =>
          from_status === 'job_status_running' && attempt === first.attempt && at <= second.begun,
      )
      const told = (first.aborted ?? Number.POSITIVE_INFINITY) <= second.begun || silent(first.pid, second.begun)
      const isOver = silent(first.pid, second.begun) || endOf(first) <= second.begun + (holdFor ?? 0) + awakening
      if (holdFor !== undefined && isOver && !isClaimed(first, movesOf.get(job) ?? [])) continue
      if (!lost) found.push(`job ${job}: attempt ${second.attempt} began while attempt ${first.attempt} held its lease`)
      else if (!told) {
        const late = first.aborted === null ? 'never' : `${Math.round(first.aborted - second.begun)} ms later`
        found.push(
          `job ${job}: attempt ${second.attempt} began beside attempt ${first.attempt}, whose signal fired ${late}`,
        )
      }
    }
  }
  return found
}

/** When it ended, or was told to. */
function endOf({ ended, aborted }: Pick<Deed, 'ended' | 'aborted'>): number {
  return Math.min(ended ?? Number.POSITIVE_INFINITY, aborted ?? Number.POSITIVE_INFINITY)
}

/** Whether it had a lease: its process claimed the row while it ran. */
function isClaimed(deed: Pick<Deed, 'pid' | 'attempt'>, moves: readonly Move[]): boolean {
  return moves.some(
    ({ to_status, writer, attempt }) =>
      to_status === 'job_status_running' && writer === `chaos ${deed.pid}` && attempt + 1 === deed.attempt,
  )
}
