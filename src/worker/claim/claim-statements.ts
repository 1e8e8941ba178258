import { type CompiledFetch, compileFetch } from '../../queue/fetch.js'
import { compileNextDue } from '../../queue/next-due.js'
import type { WorkerScope } from '../scope.js'

/** Of all that is due, or of what is due from the cursor on. */
export type FetchKind = 'whole' | 'from the cursor'

/** The statements of a claimer, each built once, and anew where the table's columns have changed. */
export class ClaimStatements {
  readonly #scope: WorkerScope
  readonly #fetches = new Map<FetchKind, CompiledFetch>()
  #columns: WorkerScope['columns'] | undefined
  #nextDue: ReturnType<typeof compileNextDue> | undefined

  constructor(scope: WorkerScope) {
    this.#scope = scope
  }

  fetch(kind: FetchKind): CompiledFetch {
    this.#forgetOutdated()
    const known = this.#fetches.get(kind)
    if (known !== undefined) return known
    const { userJobs, worker, claim } = this.#scope
    const made = compileFetch(userJobs, { ...claim, worker, fromCursor: kind === 'from the cursor' })
    this.#fetches.set(kind, made)
    return made
  }

  get nextDue(): ReturnType<typeof compileNextDue> {
    this.#forgetOutdated()
    this.#nextDue ??= compileNextDue(this.#scope.jobs, this.#scope.claim)
    return this.#nextDue
  }

  #forgetOutdated(): void {
    const { columns } = this.#scope
    if (this.#columns === columns) return
    this.#columns = columns
    this.#fetches.clear()
    this.#nextDue = undefined
  }
}
