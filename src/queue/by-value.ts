import type { Lease } from '../predicates/lease.js'
import { type Jobs, jobsOfValue } from '../schema/job-database.js'
import { valueInKey } from '../schema/key.js'

/** Rows that one statement may lock or write: of a distributed table those that have one value, of any other all. */
export type OfOneNode<Row> = readonly [jobs: Jobs, rows: readonly Row[]]

/** @throws TypeError where a row of a distributed table is known by its id alone */
export function byValue<Row extends Pick<Lease, 'id' | 'key'>>(jobs: Jobs, rows: readonly Row[]): OfOneNode<Row>[] {
  if (jobs.distributedBy === undefined) return [[jobs, rows]]
  const values = Map.groupBy(rows, ({ key }) => valueInKey(key ?? unknownKey(jobs.name)))
  return [...values].map(([value, rows]) => [jobsOfValue(jobs, value), rows])
}

function unknownKey(table: string): never {
  throw new TypeError(
    `${table} is a distributed table: give the verbs its key and home, which inspectJobTable tells, and leases as leaseOf(job) makes them`,
  )
}

/** So many statements for different values are sent at once. */
const mostAtOnce = 4

/**
 * Sends a statement for each of several values, some at once: by the connection that is given, and by others of the pool. In a
 * transaction one after the other. One that fails, as its node is away, keeps none of the others back.
 */
export async function onNodes<Item, Result>(
  jobs: Jobs,
  db: Jobs['db'],
  items: readonly Item[],
  send: (db: Jobs['db'], item: Item) => Promise<Result>,
): Promise<PromiseSettledResult<Result>[]> {
  const results: PromiseSettledResult<Result>[] = []
  const left = [...items.entries()]
  const lane = async (by: Jobs['db']) => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) {
      const [place, item] = next
      const [result] = await Promise.allSettled([send(by, item)])
      if (by.isTransaction && result.status === 'rejected') throw result.reason
      results[place] = result
    }
  }
  const others = db.isTransaction ? 0 : Math.min(mostAtOnce, items.length) - 1
  await Promise.all([db, ...Array.from({ length: Math.max(0, others) }, () => jobs.db)].map(lane))
  return results
}

/** What was answered, by all that answered. @throws why, where none did */
export function answered<Result>(results: readonly PromiseSettledResult<Result>[]): Result[] {
  const [failed] = results.filter((result) => result.status === 'rejected')
  const values = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
  if (failed !== undefined && values.length === 0) throw failed.reason
  return values
}
