import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import type { Kysely } from 'kysely'
import { deleteRunner, writeRunner } from '../../records/runners.js'
import type { JobDatabase } from '../../schema/job-database.js'
import type { TableName } from '../../schema/names.js'
import { runnersTable } from '../../schema/side-table.js'
import { packageVersion } from '../../schema/version.js'
import type { Record, Recorded } from './record.js'

/** Writes down that a runner is there, and how its workers are; deletes that when it stops. */
export class Registrar implements Record {
  readonly side = runnersTable
  readonly doing = 'writing down that this runner works'
  readonly #id = randomUUID()
  readonly #startedAt = performance.now()
  readonly #workers: readonly Recorded[]

  constructor(workers: readonly Recorded[]) {
    this.#workers = workers
  }

  write(db: Kysely<JobDatabase>, table: TableName): Promise<void> {
    return writeRunner(db, table, {
      ...{ id: this.#id, host: hostname(), pid: process.pid, version: packageVersion, nodeVersion: process.version },
      uptime: performance.now() - this.#startedAt,
      workers: this.#workers.flatMap((worker) => worker.describe?.() ?? []),
    })
  }

  last(db: Kysely<JobDatabase>, table: TableName): Promise<void> {
    return deleteRunner(db, table, this.#id)
  }
}
