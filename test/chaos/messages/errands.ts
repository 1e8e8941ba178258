import { setTimeout as sleep } from 'node:timers/promises'
import type { Generated, Kysely } from 'kysely'
import { cancel, FatalError, type Handler, retryIn, snooze } from 'kysely-jobs'
import type { FinalJob } from '../invariants.ts'
import type { ChaosDatabase, Deed, Signature } from '../tables.ts'
import { epoch } from '../witness.ts'

/**
 * What the jobs of a course are there for, each for an outcome of its own:
 * - orphan: was left running by a worker that is gone.
 * - work, scheduled: return at once; the second is due a little later.
 * - complete: completes itself in a transaction, together with an effect.
 * - long: lives longer than a third of its lease, and so has it renewed.
 * - retry, retryIn: fail at first, by a throw and by a word; snooze: asks for another time at first.
 * - fatal: fails at once; slow: passes its timeout, with no attempt left.
 * - cancel: cancels itself; cancelled: is cancelled by somebody else while it runs.
 * - left: is at work when its worker stops, and heeds its signal.
 */
export type Errand =
  | 'orphan'
  | 'work'
  | 'scheduled'
  | 'complete'
  | 'long'
  | 'retry'
  | 'retryIn'
  | 'snooze'
  | 'fatal'
  | 'slow'
  | 'cancel'
  | 'cancelled'
  | 'left'

/** How jobs may end whatever is cut; where it is not said, by success. A rescue fails what has no attempt left. */
const ends: Partial<Record<string, readonly string[]>> = {
  fatal: ['job_status_failed'],
  slow: ['job_status_timed_out', 'job_status_failed'],
  cancel: ['job_status_cancelled'],
  cancelled: ['job_status_cancelled'],
}

/** Jobs that ended otherwise than their handlers said. */
export function amiss(jobs: readonly FinalJob[]): string[] {
  return jobs
    .filter(({ act, status }) => !(ends[act] ?? ['job_status_succeeded']).includes(status))
    .map(({ act, status, last_error }) => `the job '${act}' is ${status}: ${last_error}`)
}

/** The tables of the chaos suite, with other acts and with a limit of attempts for each job. */
export type MessageDatabase = Omit<ChaosDatabase, 'chaos_jobs'> & {
  chaos_jobs: Omit<ChaosDatabase['chaos_jobs'], 'act' | 'takes'> & {
    act: Errand
    takes: Generated<number>
    max_attempts: number | null
  }
}

/** What a worker of a course did, as its handlers tell. */
export class Deeds {
  readonly all: Mutable<Omit<Deed, 'id'>>[] = []

  of(job: string): Omit<Deed, 'id'>[] {
    return this.all.filter((deed) => deed.job === job)
  }

  /** A handler of errands that says what it does under this number, which stands for a process. */
  handler(db: Kysely<MessageDatabase>, pid: number, isSuccessor: boolean): Handler<MessageDatabase, 'chaos_jobs'> {
    return async (job, { signal, attempt, complete }) => {
      const isFirst = this.of(job.id).length === 0
      const deed = { job: job.id, attempt, pid, begun: epoch(), aborted: null, reason: null, ended: null, how: null }
      const told: Mutable<Omit<Deed, 'id'>> = deed
      this.all.push(told)
      const abort = () => Object.assign(told, { aborted: epoch(), reason: String(signal.reason?.code) })
      if (signal.aborted) abort()
      else signal.addEventListener('abort', abort)
      const signature: Signature = { pid, attempt }
      const completed = () =>
        db.transaction().execute(async (trx) => {
          await trx.insertInto('effects').values({ job_id: job.id, attempt }).execute()
          await complete(trx, signature)
        })
      try {
        const given = await errand({ act: job.act, isFirst, isSuccessor, signal, completed })
        Object.assign(told, { ended: epoch(), how: 'returned' })
        return (given ?? signature) as Signature // or a handler outcome, which a handler may return as well
      } catch (error) {
        Object.assign(told, { ended: epoch(), how: 'threw' })
        throw error
      }
    }
  }
}

interface Situation {
  readonly act: Errand
  /** No handler of this job began before. */
  readonly isFirst: boolean
  readonly isSuccessor: boolean
  readonly signal: AbortSignal
  completed(): Promise<void>
}

/** Milliseconds: of the worker's lease, the shortest there is, and of its timeout. */
export const lease = 1_000
export const timeout = 620

/** Longer than a third of the lease and a beat, by when it is renewed, and shorter than the timeout. */
const longErrand = 480

async function errand({ act, isFirst, isSuccessor, signal, completed }: Situation): Promise<unknown> {
  switch (act) {
    case 'complete':
      return completed()
    case 'long':
      return sleep(longErrand, undefined, { signal })
    case 'retry':
      if (isFirst) throw new Error('not yet')
      return
    case 'retryIn':
      return isFirst ? retryIn(30, 'not yet') : undefined
    case 'snooze':
      return isFirst ? snooze(30) : undefined
    case 'fatal':
      throw new FatalError('never')
    case 'cancel':
      return cancel('as it was told')
    case 'left':
      return isSuccessor ? undefined : sleep(30_000, undefined, { signal })
    case 'slow':
    case 'cancelled':
      return sleep(30_000, undefined, { signal })
    default:
      return
  }
}

type Mutable<Value> = { -readonly [Name in keyof Value]: Value[Name] }
