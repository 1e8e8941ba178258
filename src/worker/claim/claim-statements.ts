import { type Claim, isSameClaim, type Since } from '../../queue/claim.js'
import { type CompiledFetch, compileFetch, firstDue } from '../../queue/fetch.js'
import { type CompiledHold, compileHold } from '../../queue/held.js'
import { type CompiledNextDue, compileNextDue } from '../../queue/next-due.js'
import type { Jobs } from '../../schema/job-database.js'
import type { WorkerScope } from '../scope.js'
import { claimFirst } from './claim-first.js'

/** Of all that is due, or of what is due from the cursor on. */
type FetchKind = 'whole' | 'from the cursor'

/** What a claim is to bring. */
export interface ToClaim {
  readonly limit: number
  /** Undefined: from the beginning. */
  readonly since: Since | undefined
  /** Is called when its statement is asked for, on a connection that has it next. */
  departed(): void
}

const kindOf = (since: Since | undefined): FetchKind => (since ? 'from the cursor' : 'whole')

/** The statements of a claimer, each built once, and anew where the claim has changed. */
export class ClaimStatements {
  readonly #scope: WorkerScope
  readonly #fetches = new Map<FetchKind, CompiledFetch>()
  readonly #holds = new Map<FetchKind, CompiledHold>()
  #claim: Claim | undefined
  #nextDue: CompiledNextDue | undefined

  constructor(scope: WorkerScope) {
    this.#scope = scope
  }

  fetch(since: Since | undefined): CompiledFetch {
    const claim = this.#present
    const kind = kindOf(since)
    const known = this.#fetches.get(kind)
    if (known !== undefined) return known
    const { userJobs, worker } = this.#scope
    const made = compileFetch(userJobs, { ...claim, worker, fromCursor: kind === 'from the cursor' })
    this.#fetches.set(kind, made)
    return made
  }

  /** The same, held by the transaction in which it runs. */
  hold(since: Since | undefined): CompiledHold {
    const claim = this.#present
    const kind = kindOf(since)
    const known = this.#holds.get(kind)
    if (known !== undefined) return known
    const { userJobs, worker, settings } = this.#scope
    const held = { deletes: settings.succeeded !== 'keep', fromCursor: since !== undefined }
    const made = compileHold(userJobs, { ...claim, ...held, worker })
    this.#holds.set(kind, made)
    return made
  }

  get nextDue(): CompiledNextDue {
    const claim = this.#present
    this.#nextDue ??= compileNextDue(this.#scope.claimedJobs, claim)
    return this.#nextDue
  }

  /** The job that is first, alone. @returns undefined where it was refused */
  first(db: Jobs['db'], ahead: boolean): Promise<object[] | undefined> {
    const { userJobs, worker } = this.#scope
    const claim = this.#present
    return claimFirst(
      this.#scope,
      () => firstDue({ ...userJobs, db }, claim),
      async (row) =>
        row === undefined ? [] : compileFetch(userJobs, { ...claim, worker, only: [row] })(db, { limit: 1, ahead }),
    )
  }

  /** The claim as it is now; what was built for another is forgotten. */
  get #present(): Claim {
    const { claim } = this.#scope
    if (!isSameClaim(this.#claim, claim)) {
      this.#fetches.clear()
      this.#holds.clear()
      this.#nextDue = undefined
      this.#claim = claim
    }
    return claim
  }
}
