import { setTimeout as sleep } from 'node:timers/promises'
import { keepLeases } from '../../queue/hold.js'
import { withDeadline } from '../../watch/deadline.js'
import type { Attempt } from '../run/attempt.js'
import type { WorkerScope } from '../scope.js'

/** How often (a share of the lease, and at most milliseconds) the connection is tried that keeps leases. */
const pingEvery = 1 / 12
const longestPing = 1_000

/**
 * Keeps the leases of running handlers without a write to their rows, for workers whose handlers complete in transactions
 * that are `repeatable read` or `serializable`: a row that a heartbeat wrote to after such a transaction began can't be
 * written by it any more (40001). An advisory lock for each, in an open transaction on a connection of the pool, which
 * rescues respect. Each renewal takes the locks in a new transaction before the old one ends, so that what has ended is
 * let go. A connection that is cut lets go of all: then they are renewed by a write at once.
 */
export class LeaseKeeper {
  readonly #scope: WorkerScope
  readonly #letGo: (attempts: readonly Attempt[]) => void
  /** The transaction that keeps them; whichever is not the current one ends. */
  #current: object | undefined

  /** @param letGo is told of leases that are kept no more, as their connection was lost */
  constructor(scope: WorkerScope, letGo: (attempts: readonly Attempt[]) => void) {
    this.#scope = scope
    this.#letGo = letGo
  }

  /** Keeps those that need it. @returns the others, which are to be renewed by a write */
  async keep(attempts: readonly Attempt[]): Promise<readonly Attempt[]> {
    const { snapshots, settings, engine, report } = this.#scope
    const running = attempts.filter(({ state }) => state === 'begun')
    if (snapshots.conflictedAt === undefined || running.length === 0 || !engine.advisoryLocks) return attempts
    const sent = performance.now()
    try {
      const kept = new Set(await withDeadline(this.#locked(running), settings.lease / 6, 'keep'))
      for (const attempt of kept) attempt.renewed(sent)
      return attempts.filter((attempt) => !kept.has(attempt))
    } catch (error) {
      report(error, `keeping ${running.length} leases`)
      return attempts
    }
  }

  stop(): void {
    this.#current = undefined
  }

  /** Resolves when the locks are taken; the transaction goes on. */
  #locked(attempts: readonly Attempt[]): Promise<readonly Attempt[]> {
    const taken = Promise.withResolvers<readonly Attempt[]>()
    const { jobs, worker, settings } = this.#scope
    let kept: readonly Attempt[] = []
    const transaction = jobs.db
      .transaction()
      .setIsolationLevel('read committed')
      .execute(async (trx) => {
        kept = await keepLeases({ ...jobs, db: trx }, attempts, { worker, silence: settings.lease })
        this.#current = trx
        taken.resolve(kept)
        const isNeeded = () => this.#current === trx && kept.some(({ state }) => state === 'begun')
        for (; isNeeded(); await sleep(Math.min(longestPing, settings.lease * pingEvery), undefined, { ref: false })) {
          await trx.selectNoFrom((eb) => eb.lit(1).as('alive')).execute()
        }
      })
    transaction.catch((error: unknown) => {
      taken.reject(error)
      this.#letGo(kept.filter(({ holdsLease }) => holdsLease))
    })
    return taken.promise
  }
}
