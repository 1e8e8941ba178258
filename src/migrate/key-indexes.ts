import { keyIndexNames, quoted, quotedName } from '../schema/names.js'
import { type JobStatus, pendingStatuses } from '../schema/statuses.js'
import { orderedColumns } from './job-indexes.js'
import type { MigrationDatabase } from './migration-database.js'
import { execute, literal } from './migration-database.js'
import { checkOptions, type EngineChoice, JobTableOptionError } from './options.js'
import { changeTable, onTarget, type Target } from './target.js'
import { writtenColumn } from './written-columns.js'

export interface KeyIndexOptions extends EngineChoice {
  /** For workers with `fifo`: also the index of who is next in line, as their `onFailure` says. Default: none. */
  readonly fifo?: 'continue' | 'block' | undefined
  /** Build without blocking writes, for a table in use. Outside of a transaction only. Default false. */
  readonly concurrently?: boolean | undefined
}

/**
 * Makes the partial indexes by which workers with `limit`, `fifo` or `fairBy` go from key to key: what waits, what runs and, for `fifo`,
 * who is next. One that is there but broken is made anew.
 *
 * @example await createKeyIndexes(db, 'send_mail_jobs', ['tenant_id'])
 * @throws JobTableOptionError for a column that the table lacks; JobTableNameError, NoSuchTableError
 */
export async function createKeyIndexes(
  db: MigrationDatabase,
  name: string,
  columns: readonly string[],
  options: KeyIndexOptions = {},
): Promise<void> {
  check(columns, options)
  const { concurrently, engine } = options
  const written = columns.map((column) => writtenColumn(db, column))
  if (concurrently)
    await onTarget(db, name, (target) => createIndexes(target, written, options, ' concurrently'), engine)
  else await changeTable(db, name, (target) => createIndexes(target, written, options, ''), engine)
}

/**
 * Drops these indexes. @throws JobTableOptionError, JobTableNameError, NoSuchTableError
 * @example await dropKeyIndexes(db, 'send_mail_jobs', ['tenant_id'])
 */
export async function dropKeyIndexes(
  db: MigrationDatabase,
  name: string,
  columns: readonly string[],
  options: Pick<KeyIndexOptions, 'concurrently'> = {},
): Promise<void> {
  check(columns, options)
  const written = columns.map((column) => writtenColumn(db, column))
  await onTarget(db, name, async ({ db: plain, table }) => {
    for (const nameOf of Object.values(keyIndexNames)) {
      const index = quotedName({ schema: table.schema, name: nameOf(table, written) })
      await execute(plain, `drop index${options.concurrently ? ' concurrently' : ''} if exists ${index}`)
    }
  })
}

function check(columns: readonly string[], options: KeyIndexOptions): void {
  checkOptions(options, { concurrently: [true, false], fifo: ['continue', 'block'], engine: [] })
  if (Array.isArray(columns) && columns.length > 0 && columns.every((each) => typeof each === 'string')) return
  throw new JobTableOptionError("The third argument names the columns of the key, as in ['tenant_id']")
}

type Wanted = readonly [
  kind: 'waiting' | 'running' | 'line',
  columns: readonly string[],
  statuses: readonly JobStatus[],
]

async function createIndexes(
  { db, table, catalog, engine }: Target,
  columns: readonly string[],
  { fifo }: KeyIndexOptions,
  concurrently: string,
): Promise<void> {
  const known = new Set(catalog.columns.map(({ name }) => name))
  const missing = columns.filter((column) => !known.has(column))
  if (missing.length > 0) {
    throw new JobTableOptionError(`${quotedName(table)} has no column ${missing.map((name) => `'${name}'`).join(', ')}`)
  }
  const key = columns.map(quoted)
  const priority = known.has('priority') ? ['priority desc'] : []
  const failed = ['job_status_failed', 'job_status_timed_out'] as const
  const wanted: Wanted[] = [
    ['waiting', [...key, ...priority, 'run_at'], pendingStatuses],
    ['running', key, ['job_status_running']],
    ...(fifo === undefined
      ? []
      : [
          [
            'line',
            [...key, 'created_at', 'id'],
            [...pendingStatuses, 'job_status_running', ...(fifo === 'block' ? failed : [])],
          ] as const,
        ]),
  ]
  for (const [kind, of, statuses] of wanted) {
    const index = keyIndexNames[kind](table, columns)
    const found = catalog.indexes.find(({ name }) => name === index)
    if (found?.valid && kind !== 'line') continue
    const name = quotedName({ schema: table.schema, name: index })
    if (found !== undefined) await execute(db, `drop index${concurrently} if exists ${name}`)
    const on = `${quotedName(table)} (${orderedColumns(of, engine.heap).join(', ')})`
    const partial = engine.partialIndexes ? ` where status in (${statuses.map(literal).join(', ')})` : ''
    await execute(db, `create index${concurrently} ${quoted(index)} on ${on}${partial}`)
  }
}
