import type { Lease } from '../predicates/lease.js'
import { type Jobs, jobsOfValue } from '../schema/job-database.js'
import { valueInKey } from '../schema/key.js'

/** Rows that one statement may lock or write: of a distributed table those that have one value, of any other all. */
export type OfOneNode<Row> = readonly [jobs: Jobs, rows: readonly Row[]]

/** Statements for so many values are sent at once, by a connection each. */
export const valuesAtOnce = 4

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
