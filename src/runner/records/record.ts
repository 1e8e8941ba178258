import type { Kysely } from 'kysely'
import type { WorkerStats } from '../../records/stats.js'
import type { WorkerState } from '../../records/worker-state.js'
import type { JobDatabase } from '../../schema/job-database.js'
import type { TableName } from '../../schema/names.js'
import type { SideTable } from '../../schema/side-table.js'

/** What is written down of a worker. */
export interface Recorded {
  stats(): WorkerStats
  /** Undefined: it has not begun. */
  describe?(): WorkerState | undefined
}

/** Something that a runner writes down again and again, in a side table of its own. */
export interface Record {
  readonly side: SideTable
  /** What it does, as the log says it. */
  readonly doing: string
  /** @param table the side table as the catalog has it */
  write(db: Kysely<JobDatabase>, table: TableName): Promise<void>
  /** The workers have stopped, and nothing is written any more. */
  last(db: Kysely<JobDatabase>, table: TableName): Promise<void>
}
