import { type CompiledSettle, compileSettle } from '../../queue/settle.js'
import { seenBy } from '../observer.js'
import type { WorkerScope } from '../scope.js'

/** What writes a worker's outcomes; built anew where the table's columns have changed, or the archive. */
export class SettleStatement {
  readonly #scope: WorkerScope
  #compiled: (Pick<WorkerScope, 'columns' | 'finished'> & { readonly settle: CompiledSettle }) | undefined

  constructor(scope: WorkerScope) {
    this.#scope = scope
  }

  get current(): CompiledSettle {
    const { jobs, worker, columns, seedStatuses, finished, settings, observer } = this.#scope
    if (this.#compiled?.columns !== columns || this.#compiled.finished !== finished) {
      const { backoff } = settings
      const own = { worker, columns, seedStatuses, skipLocked: true, ...finished }
      const settle = compileSettle(jobs, { ...own, ...(typeof backoff === 'object' && { backoff }) })
      this.#compiled = { columns, finished, settle: seenBy(observer, settle) }
    }
    return this.#compiled.settle
  }
}
