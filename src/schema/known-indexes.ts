import { sql } from 'kysely'
import type { Catalog } from './catalog.js'
import type { Lookup } from './identify.js'
import { dueOrder, quotedName, type TableName } from './names.js'
import { type JobStatus, pendingStatuses } from './statuses.js'
import { asText, textsOf } from './text.js'

/** What of a job table can be read by an index, as those of `createJobIndexes` are, whatever their names. */
export interface KnownIndexes {
  /** Pending jobs in the order of time: by `run_at` itself, or by the expression of the due index; undefined: not at all. */
  readonly due: 'run_at' | 'due order' | undefined
  readonly running: boolean
  /** Those that failed or timed out, by their status and when they ended. */
  readonly failed: boolean
}

/** A table of so many bytes is read in a moment, whatever indexes it has. */
const smallTable = 4 * 2 ** 20

/** Whether there is an index that begins with a column, over these statuses. A condition beside them is not looked for. */
export function hasIndex(
  { indexes }: Pick<Catalog, 'indexes'>,
  first: string,
  statuses: readonly JobStatus[],
): boolean {
  return indexes.some(({ valid, columns: [leading], predicate }) => {
    const leads = leading === first || leading === `${first} desc`
    return valid && leads && statuses.every((status) => predicate?.includes(`'${status}'`))
  })
}

/** The same over all jobs of these statuses: an index with one more condition does not have them. A small table needs none. */
export async function readKnownIndexes(
  db: Lookup,
  table: TableName,
  { indexes, server }: Catalog,
): Promise<KnownIndexes> {
  const whole = { indexes: indexes.filter(({ predicate }) => !/ (?:and|or) /i.test(predicate ?? '')) }
  const failed = whole.indexes.filter(({ columns }) => columns.join() === 'status,updated_at')
  const byRunAt = hasIndex(whole, 'run_at', pendingStatuses) ? 'run_at' : undefined
  if ((await bytesOf(db, table, server)) <= smallTable) return { due: 'run_at', running: true, failed: true }
  return {
    due: hasIndex(whole, dueOrder, pendingStatuses) ? 'due order' : byRunAt,
    running: hasIndex(whole, 'locked_by', ['job_status_running']),
    failed: hasIndex({ indexes: failed }, 'status', ['job_status_failed', 'job_status_timed_out']),
  }
}

/** Apart from the catalog: it waits for whoever has locked the table. Of one that is elsewhere it is not known. */
async function bytesOf(db: Lookup, table: TableName, { extensions }: Catalog['server']): Promise<number> {
  const plain = db.withoutPlugins()
  const isHere = extensions?.citus
    ? sql`and not exists (select from pg_catalog.pg_dist_partition p where p.logicalrelid = c.oid)`
    : sql``
  const size = sql`
    select ${asText(sql`coalesce(
      (select pg_catalog.sum(pg_catalog.pg_relation_size(relid)) from pg_catalog.pg_partition_tree(c.oid)), pg_catalog.pg_relation_size(c.oid))`)}
    from pg_catalog.pg_class c where c.oid = pg_catalog.to_regclass(${quotedName(table)}) ${isHere}`
  const [text] = await textsOf(db, size.compile(plain))
  return Number(text ?? Number.POSITIVE_INFINITY)
}
