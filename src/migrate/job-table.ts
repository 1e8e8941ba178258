import type { CreateTableBuilder } from 'kysely'
import type { JobColumnName, OptionalColumnName } from '../schema/columns.js'
import { insertTriggerOf } from '../schema/engines/lacks.js'
import { engineOf, refuseUnknown } from '../schema/engines/recognize.js'
import { readJobTable } from '../schema/inspect.js'
import { quotedName } from '../schema/names.js'
import { readServer } from '../schema/server.js'
import { checkDistribution, distribute, withBucket } from './distribution.js'
import { createJobArchive, dropArchive } from './job-archive.js'
import { jobColumns } from './job-columns.js'
import { createIndexes } from './job-indexes.js'
import { createStorage } from './job-storage.js'
import { createTriggers, dropFunction } from './job-triggers.js'
import { execute, inTransaction, type MigrationDatabase } from './migration-database.js'
import { checkOptions, columnChoices, JobTableOptionError, type JobTableOptions } from './options.js'
import { dropUnusedType } from './status-type.js'
import { changeTable, existingTarget, oneByOne, schemaOfNew } from './target.js'
import { createUniqueIndexes } from './unique-indexes.js'

/** A table under construction, with the columns it has so far. */
type TableBuilder<Columns extends string = string> = CreateTableBuilder<string, Columns>

/**
 * Creates a job table: the nine columns (`id` as primary key), your own after them, indexes, storage settings and
 * triggers, as far as the server's engine has them; in the migration's transaction, or in one of its own. Belongs in a migration of yours.
 *
 * @example
 * export const up = (db: Kysely<any>) =>
 *   createJobTable(db, 'send_mail_jobs', (table) =>
 *     table.addColumn('user_id', 'uuid', (column) => column.references('users.id').notNull()))
 * export const down = (db: Kysely<any>) => dropJobTable(db, 'send_mail_jobs')
 * @throws EngineError where the server is none that we know; JobTableOptionError, JobTableNameError, JobStatusTypeError; JobArchiveError
 */
export async function createJobTable(
  db: MigrationDatabase,
  name: string,
  build: (table: TableBuilder<JobColumnName | OptionalColumnName>) => TableBuilder = (table) => table,
  { archive, unique = [], distributeBy, ...options }: JobTableOptions = {},
): Promise<void> {
  checkOptions(options, { ...columnChoices, notify: ['trigger', 'none'], engine: [] })
  const { engine: given, notify } = options
  if (typeof build !== 'function') {
    throw new JobTableOptionError(
      'The third argument adds columns: (table) => table.addColumn(...); options are the fourth',
    )
  }
  if (distributeBy !== undefined) await checkDistribution(db, distributeBy)
  await inTransaction(db, async (trx) => {
    const plain = trx.withoutPlugins()
    if (distributeBy !== undefined) await oneByOne(plain)
    const engine = engineOf(await readServer(plain), given)
    refuseUnknown(engine, given)
    const columns = await jobColumns(plain, await schemaOfNew(trx, name), engine, options)
    const start: TableBuilder<JobColumnName | OptionalColumnName> = trx.schema.createTable(name)
    const withColumns = columns.reduce(
      (table, { name: column, type, define }) =>
        table.addColumn(column, type, (it) =>
          column === 'id' && distributeBy === undefined ? define(it).primaryKey() : define(it),
        ),
      start,
    )
    const built: TableBuilder | undefined = build(withColumns)
    if (built === undefined) {
      throw new JobTableOptionError(
        'The third argument returned nothing: let it return what the last addColumn() gives',
      )
    }
    await (distributeBy === undefined ? built : withBucket(built, distributeBy)).execute()
    if (distributeBy !== undefined) await distribute(trx, name, distributeBy)
    const target = await existingTarget(trx, name, given)
    await createStorage(target)
    await createIndexes(target)
    if (notify === 'trigger' || (notify === undefined && insertTriggerOf(target.engine) !== 'none'))
      await createTriggers(target)
    await createUniqueIndexes(trx, name, unique, given)
    if (archive !== undefined) await createJobArchive(trx, name, archive)
  })
}

/**
 * Drops a job table with its triggers and their function, its archive with all jobs in it, and the enum with its last table. Refuses any other table:
 * a wrong name in a `down` would cost its rows.
 * @throws JobTableError, JobTableNameError, NoSuchTableError
 * @example await dropJobTable(db, 'send_mail_jobs')
 */
export async function dropJobTable(db: MigrationDatabase, name: string): Promise<void> {
  await changeTable(db, name, async (target) => {
    const { db: plain, table, catalog } = target
    await readJobTable(plain, table)
    await dropArchive(target)
    await execute(plain, `drop table ${quotedName(table)}`)
    await dropFunction(plain, table)
    await dropUnusedType(plain, catalog)
  })
}
