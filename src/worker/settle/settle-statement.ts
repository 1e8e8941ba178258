import { type CompiledSettle, compileSettle } from '../../queue/settle.js'
import type { WorkerScope } from '../scope.js'

/** What writes a worker's outcomes; built anew where the table's columns have changed. */
export class SettleStatement {
  readonly #scope: WorkerScope
  #compiled: { readonly columns: WorkerScope['columns']; readonly settle: CompiledSettle } | undefined

  constructor(scope: WorkerScope) {
    this.#scope = scope
  }

  get current(): CompiledSettle {
    const { jobs, worker, columns, seedStatuses, settings } = this.#scope
    if (this.#compiled?.columns !== columns) {
      const { backoff, deleteSucceeded } = settings
      const own = { worker, columns, seedStatuses, deleteSucceeded, skipLocked: true }
      const settle = compileSettle(jobs, { ...own, ...(typeof backoff === 'object' && { backoff }) })
      this.#compiled = { columns, settle }
    }
    return this.#compiled.settle
  }
}
