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
    const { userJobs, worker, columns, settings } = this.#scope
    const { backoff, lease, seedBackoff } = settings
    const retryBackoff = seedBackoff && typeof backoff === 'object' ? { retryBackoff: backoff } : {}
    const fromCursor = kind === 'from the cursor'
    const made = compileFetch(userJobs, { worker, columns, lease, fromCursor, ...retryBackoff })
    this.#fetches.set(kind, made)
    return made
  }

  get nextDue(): ReturnType<typeof compileNextDue> {
    this.#forgetOutdated()
    this.#nextDue ??= compileNextDue(
      this.#scope.jobs,
      this.#scope.columns.includes('priority'),
      this.#scope.settings.lease,
    )
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
