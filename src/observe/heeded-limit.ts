import type { RunnerState } from '../records/runners.js'
import type { WorkerLimit } from '../records/worker-state.js'
import { camelCase } from '../schema/row.js'
import type { JobView } from './view.js'

/** The workers of a table that are alive, as far as runners tell. */
export function aliveWorkersOf({ places: [{ table }] }: JobView, runners: readonly RunnerState[]) {
  return runners
    .flatMap(({ alive, workers }) => (alive ? workers : []))
    .filter((worker) => worker.schema === table.schema && worker.table === table.name)
}

/** The columns by which a worker limits, by their names in the database: it calls them as its program does. */
export const limitColumns = ({ columns }: JobView, { by }: WorkerLimit): string[] =>
  by.map((name) => columns.find((column) => camelCase(column.name) === name)?.name ?? name)

/** Whether a worker limits by just these columns, as only such a one heeds a limit of a key of them; where none is alive one may. */
export function isHeeded(
  view: JobView,
  workers: readonly { readonly limit: WorkerLimit | undefined }[],
  key: Readonly<Record<string, string>> = {},
): boolean {
  const columns = Object.keys(key).toSorted().join()
  const isSame = (limit: WorkerLimit) => limitColumns(view, limit).toSorted().join() === columns
  return workers.length === 0 || workers.some(({ limit }) => limit !== undefined && isSame(limit))
}
