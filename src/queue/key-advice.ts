import { readCatalog } from '../schema/catalog.js'
import type { Jobs } from '../schema/job-database.js'
import { quotedName, type TableName } from '../schema/names.js'
import { type JobStatus, pendingStatuses } from '../schema/statuses.js'
import type { Keyed } from './claim.js'
import { realNames } from './returned.js'

/** What holds a line, and so is in the index of those who are next. */
const lineStatuses = (order: 'continue' | 'block'): readonly JobStatus[] => [
  ...pendingStatuses,
  'job_status_running',
  ...(order === 'block' ? (['job_status_failed', 'job_status_timed_out'] as const) : []),
]

/** What a table lacks by which its jobs are claimed from key to key: a sentence with the remedy; undefined: nothing. */
export async function adviceOnKey(jobs: Jobs, keyed: Keyed, table: TableName): Promise<string | undefined> {
  const { by, max, order } = keyed
  if (by.length === 0) return undefined
  const names = realNames(jobs, by)
  const { indexes } = (await readCatalog(jobs.db.withoutPlugins(), table)) ?? { indexes: [] }
  const has = (columns: readonly string[], statuses: readonly JobStatus[]) =>
    indexes.some(({ valid, predicate, names: indexed }) => {
      const begins = columns.every((name, place) => indexed[place] === name)
      return valid && begins && statuses.every((status) => predicate?.includes(`'${status}'`) ?? true)
    })
  const isCounted = max !== undefined || order !== undefined
  const isThere =
    has(names, pendingStatuses) &&
    (!isCounted || has(names, ['job_status_running'])) &&
    (order === undefined || has([...names, 'created_at'], lineStatuses(order)))
  if (isThere) return undefined
  const list = names.map((name) => `'${name}'`).join(', ')
  const options = order === undefined ? '' : `, { fifo: '${order}' }`
  return `${quotedName(table)} lacks an index by which jobs of a key are found, so each fetch reads the table: createKeyIndexes(db, '${jobs.name}', [${list}]${options}), in a migration, makes it`
}
