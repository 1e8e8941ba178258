import { release } from '../../queue/release.js'
import { ask } from '../ask.js'
import { Attempt } from '../run/attempt.js'
import type { WorkerScope } from '../scope.js'
import type { ClaimStatements, ToClaim } from './claim-statements.js'
import type { Claimed } from './claimed.js'
import { KeyedClaims } from './keyed-claims.js'
import { ValueClaims } from './value-claims.js'

/** How a claim by leases is to be sent. */
export interface LeaseOptions extends ToClaim {
  /** There are not slots for all. */
  readonly ahead: boolean
  /** The job that is first, alone, as one that is refused is looked for. */
  readonly isOne: boolean
  readonly isPrepared: boolean
}

/** Claims jobs by leases. */
export class Leases {
  readonly #scope: WorkerScope
  readonly #keyed: KeyedClaims | undefined = undefined
  /** Of a distributed table. */
  readonly #byValue: ValueClaims | undefined = undefined

  constructor(scope: WorkerScope) {
    this.#scope = scope
    const { keyed } = scope.settings
    const late = (rows: readonly object[]) => this.release(rows)
    if (scope.jobs.distributedBy !== undefined) this.#byValue = new ValueClaims(scope, late)
    else this.#keyed = keyed && new KeyedClaims(scope, keyed, late)
  }

  /**
   * @param isStopped whether nobody wants them any more
   * @returns undefined where the one that was asked for was refused
   */
  async claim(
    statements: ClaimStatements,
    { isOne, departed, ...given }: LeaseOptions,
    isStopped: () => boolean,
  ): Promise<Claimed | undefined> {
    if (this.#keyed !== undefined) return this.#keyed.claim({ limit: given.limit, isOne, departed }, isStopped)
    if (this.#byValue !== undefined) return this.#byValue.claim({ ...given, isOne }, isStopped)
    const { userJobs, settings } = this.#scope
    const fetch = statements.fetch(given.since)
    const late = (rows: readonly object[] = []) => void this.release(rows)
    const claim = async (db: typeof userJobs.db) => {
      if (isStopped()) return [] // it waited for its connection
      const fetched = isOne ? statements.first(db, given.ahead) : fetch(db, given)
      departed()
      return fetched
    }
    const rows = await ask(userJobs.db, settings.lease / 3, 'fetch', claim, late)
    return rows && { rows }
  }

  /** Rows that came too late to be run here; where that fails, their leases expire. */
  async release(rows: readonly object[]): Promise<void> {
    const { jobs, worker, settings } = this.#scope
    const attempts = rows.map((row) => new Attempt(row, 0))
    try {
      const released = await ask(jobs.db, settings.lease / 3, 'release', (db) =>
        release(db, jobs.name, attempts, { worker, key: jobs.key, home: jobs.home }),
      )
      for (const { id, attempt } of released) this.#scope.tell('released', { job: { id }, attempt })
    } catch (error) {
      this.#scope.report(error, 'releasing jobs that came too late')
    }
  }
}
