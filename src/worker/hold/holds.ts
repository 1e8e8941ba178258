import { sqlState } from '../../pg/error-class.js'
import { type CompiledSuccess, compileSuccess, lockNotAvailable, longestLockWait, openHold } from '../../queue/held.js'
import { interruptionsIn } from '../../schema/row.js'
import { lend } from '../ask.js'
import type { ClaimStatements, ToClaim } from '../claim/claim-statements.js'
import type { Claimed } from '../claim/claimed.js'
import { seenBy } from '../observer.js'
import type { Slots } from '../run/slots.js'
import type { WorkerScope } from '../scope.js'
import { SettleStatement } from '../settle/settle-statement.js'
import type { Settler } from '../settle/settler.js'
import { HeldBatch } from './held-batch.js'
import { Hold, type HoldParts } from './hold.js'
import type { JobHold } from './job-hold.js'

/** So many at once: one that claims, one whose jobs run, one that commits. Of batches one that claims, beside those that run. */
const mostOpen = 3

/** From so many jobs on it is worth a transaction of its own to hold them; the last fetch tells how many there may be. */
const worthHolding = 20

/** All workers of a pool take this share of its connections, as handlers need some too. */
const shareOfPool = 1 / 3

/** After so many jobs, or so many milliseconds, without harm jobs are held by transactions; until then by leases. */
const harmlessJobs = 1_000
const harmlessTime = 1_000

/** Each harm makes both twice as long, up to so many times; what goes well, half as long. */
const mostCaution = 64

/**
 * The transactions that hold a worker's jobs. A job that ends its process while it is held loses no attempt by that, and
 * would do it again for ever. So a worker begins by leases, and goes back to them when it meets a job that was interrupted:
 * of what a process has held when it ended, whoever comes next finds the first in line, and counts its attempt.
 */
export class Holds {
  readonly #scope: WorkerScope
  readonly #settler: Settler
  readonly #slots: Slots
  readonly #unsure: () => void
  readonly #settle: SettleStatement
  readonly #open = new Set<JobHold>()
  #compiled: (Pick<WorkerScope, 'columns' | 'finished'> & { readonly succeed: CompiledSuccess }) | undefined
  readonly #most: number
  #jobs = 0
  #since = performance.now()
  #caution = 1

  /** @param unsure leases may be lost */
  constructor(scope: WorkerScope, settler: Settler, slots: Slots, unsure: () => void) {
    this.#scope = scope
    this.#settle = new SettleStatement(scope)
    this.#settler = settler
    this.#slots = slots
    this.#unsure = unsure
    this.#most = Math.floor((scope.connections ?? 10) * shareOfPool) // pg's default
  }

  /**
   * Whether the next jobs are to be held: not those of slow handlers, nor of such as can't have their rows written to meanwhile.
   * A batch has a transaction anyway, and as long as its handler takes.
   * @param brought how many jobs the last fetch brought
   */
  isFor(brought: number): boolean {
    return this.#isNext && (this.#scope.settings.batch !== undefined || brought >= worthHolding)
  }

  get #isNext(): boolean {
    const { settings, snapshots, share } = this.#scope
    if (settings.hold === 'lease' || share.holds.size >= this.#most || this.isFull) return false
    const isHarmless =
      this.#jobs >= harmlessJobs * this.#caution || performance.now() - this.#since >= harmlessTime * this.#caution
    if (settings.batch !== undefined) return isHarmless
    const isQuick = this.#slots.average < settings.holdFor
    return isHarmless && isQuick && snapshots.conflictedAt === undefined
  }

  get isOpen(): boolean {
    return this.#open.size > 0
  }

  /** There are as many as there may be, and one of them will end soon. */
  get isFull(): boolean {
    const { batch, concurrency } = this.#scope.settings
    return this.#open.size >= (batch === undefined ? mostOpen : concurrency + 1)
  }

  /** A job has ended, and its process has not. */
  settled(): void {
    this.#jobs += 1
  }

  /** Ends all. */
  async end(): Promise<void> {
    await Promise.all([...this.#open].map((hold) => hold.end()))
  }

  /**
   * Claims jobs that a transaction holds.
   * @param isStopped whether nobody wants them any more
   * @returns undefined where they are to be claimed by a lease
   */
  claim(
    statements: ClaimStatements,
    { departed, ...given }: ToClaim,
    isStopped: () => boolean,
  ): Promise<Claimed | undefined> {
    const fetch = statements.hold(given.since)
    const { userJobs, table, settings } = this.#scope
    const late = (claimed: Claimed | undefined) => void claimed?.hold?.end()
    const lockWait = settings.batch === undefined ? longestLockWait : undefined // a handler's own statements wait as it likes
    let hold: JobHold | undefined
    const claim = lend<Claimed | undefined>(
      userJobs.db,
      settings.lease / 3,
      'fetch',
      async (connection, answer) => {
        if (isStopped()) return answer({ rows: [] })
        const transaction = connection.transaction().setIsolationLevel('read committed')
        try {
          const none = await transaction.execute(async (trx) => {
            await openHold(trx.withoutPlugins(), table, { silence: settings.lease, lockWait })
            const fetched = fetch(trx, given)
            departed()
            const rows = await fetched
            if (rows.length === 0) return { rows }
            if (rows.some((row) => interruptionsIn(row) > 0)) return this.#beginAgain()
            if (!this.#isNext) return undefined // another was quicker, or has been harmed meanwhile
            hold = this.#begin()
            answer({ rows, hold })
            await hold.hold(trx)
            return undefined
          })
          if (hold === undefined) answer(none)
          else hold.committed()
        } catch (error) {
          if (hold === undefined && sqlState(error) === lockNotAvailable) return answer(this.#beginAgain())
          hold?.failed(error)
          throw error
        }
      },
      late,
    )
    claim.catch(() => this.#beginAgain())
    return claim
  }

  #beginAgain(): undefined {
    this.#jobs = 0
    this.#since = performance.now()
    this.#caution = Math.min(mostCaution, this.#caution * 2)
  }

  #begin(): JobHold {
    const parts: HoldParts = {
      scope: this.#scope,
      settler: this.#settler,
      succeed: this.#succeed,
      settle: this.#settle.current,
      releaseOf: (attempts) => this.#slots.releaseOf(attempts),
      unsure: this.#unsure,
      refused: () => this.#beginAgain(),
      wentWell: () => {
        this.#caution = Math.max(1, this.#caution / 2)
      },
      over: () => {
        this.#open.delete(hold)
        holds.delete(hold)
      },
    }
    const { holds } = this.#scope.share
    const hold = this.#scope.settings.batch === undefined ? new Hold(parts) : new HeldBatch(parts)
    this.#open.add(hold)
    holds.add(hold)
    return hold
  }

  get #succeed(): CompiledSuccess {
    const { jobs, columns, finished, observer } = this.#scope
    if (this.#compiled?.columns !== columns || this.#compiled.finished !== finished)
      this.#compiled = { columns, finished, succeed: seenBy(observer, compileSuccess(jobs, columns, finished)) }
    return this.#compiled.succeed
  }
}
