import { concernsAll, sqlState } from '../../pg/error-class.js'
import {
  backToHeld,
  type CompiledSuccess,
  checkHeld,
  claimHeld,
  HeldRowsError,
  lockNotAvailable,
  markHeld,
} from '../../queue/held.js'
import { tellWorkers } from '../../queue/notify.js'
import type { Outcome } from '../../queue/outcome.js'
import type { CompiledSettle } from '../../queue/settle.js'
import type { Jobs } from '../../schema/job-database.js'
import { halves } from '../halves.js'
import type { Attempt } from '../run/attempt.js'
import type { WorkerScope } from '../scope.js'
import { entryOf } from '../settle/batch.js'

/** An attempt that has ended, and how. */
export type Ended = readonly [Attempt, Outcome]

/** What writes in a transaction that holds jobs. */
export interface HeldStatements {
  readonly scope: WorkerScope
  readonly succeed: CompiledSuccess
  readonly settle: CompiledSettle
}

/**
 * Writes the outcomes of jobs whose rows a transaction holds: all but successes by their fence, so after a claim of their
 * rows. Those that still run are claimed by a lease. What a commit would refuse is refused now.
 * @throws where a row is not written
 */
export async function writeHeld(
  trx: Jobs['db'],
  { scope, succeed, settle }: HeldStatements,
  { ended, running = [] }: { readonly ended: readonly Ended[]; readonly running?: readonly Attempt[] },
): Promise<void> {
  const { jobs, worker, columns } = scope
  const entries = ended.map(([attempt, outcome]) => entryOf(attempt, outcome))
  const rest = entries.filter(({ kind }) => kind !== 'succeeded' && kind !== 'released')
  await claimHeld(trx, jobs, [...running, ...rest], { worker, columns })
  await succeed(
    trx,
    entries.filter(({ kind }) => kind === 'succeeded'),
  )
  const written = await settle(trx, rest)
  if (entries.some(({ kind }) => kind === 'released')) await tellFree(trx, scope)
  if (written.length < rest.length) throw new HeldRowsError(rest.length, written.length)
  await checkHeld(trx)
}

/** What is free again was written by nobody, so that no trigger tells. */
export function tellFree(trx: Jobs['db'], { jobs, table }: WorkerScope): Promise<void> {
  return tellWorkers({ ...jobs, db: trx }, table, { kind: 'due', in: 0 })
}

/**
 * Claims rows that a transaction holds, behind its savepoint, by leases. A row whose claim is refused is found by halving, and
 * passed over; its lease does not begin, as the renewer will see.
 */
export async function leaseHeld(trx: Jobs['db'], scope: WorkerScope, attempts: readonly Attempt[]): Promise<void> {
  const { jobs, worker, columns } = scope
  try {
    await claimHeld(trx, jobs, attempts, { worker, columns })
    await markHeld(trx)
  } catch (error) {
    if (isOfConnection(error)) throw error
    await backToHeld(trx)
    const isLocked = sqlState(error) === lockNotAvailable // that is for a moment, and the time was too short for a trigger
    if (attempts.length === 1 && !isLocked) scope.passedOver.add(attempts)
    for (const half of halves(attempts)) await leaseHeld(trx, scope, half)
  }
}

/** What Postgres says of a statement that comes after one that failed. */
export const transactionFailed = '25P02'

/** A savepoint does not heal it. */
export function isOfConnection(error: unknown): boolean {
  const state = sqlState(error)
  return concernsAll(error) && state !== transactionFailed && !state?.startsWith('4')
}
