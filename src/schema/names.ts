import { createHash } from 'node:crypto'

/** Postgres cuts an identifier, and refuses a channel name, beyond this many bytes. */
export const maxNameBytes = 63

/** A table as the catalog knows it. */
export interface TableName {
  readonly schema: string
  readonly name: string
}

/** An identifier in SQL text. */
export function quoted(identifier: string): string {
  return `"${identifier.replaceAll('"', '""')}"`
}

/** A name in SQL text, with its schema where it has one. */
export function quotedName({ schema, name }: { readonly schema?: string; readonly name: string }): string {
  return schema === undefined ? quoted(name) : `${quoted(schema)}.${quoted(name)}`
}

/** The channel on which a job table's triggers notify, the function behind them, and the triggers: the seed's names. */
export const channelName = nameOf('job_available_')
export const functionName = nameOf('notify_job_queued_')
export const insertTriggerName = nameOf('did_insert_job_')
export const updateTriggerName = nameOf('did_update_job_')

/** The setting, of a transaction, in which the trigger of a partitioned table keeps what its statement has inserted so far. */
export const insertedSetting = ({ schema, name }: TableName): string => `kysely_jobs.inserted_${hashOf([schema, name])}`

/** The partial indexes: of the fetch; of what is due at whatever priority; of rescue, of counts, of prune. */
export const readyIndexName = nameOf('job_ready_')
export const dueIndexName = nameOf('job_due_')
export const runningIndexName = nameOf('job_running_')
export const failedIndexName = nameOf('job_failed_')
export const finishedIndexName = nameOf('job_finished_')

/**
 * The indexes of unique jobs, by the columns of the set: over unfinished jobs, over those that no worker has begun, and over all jobs by when
 * they were enqueued.
 */
export const uniqueIndexName = nameBy('job_unique_')
export const waitingIndexName = nameBy('job_waiting_')
export const withinIndexName = nameBy('job_within_')
/** The indexes of jobs by a key: of those that wait, of those that run, and of who is next in line. */
export const keyIndexNames = {
  waiting: nameBy('job_key_waiting_'),
  running: nameBy('job_key_running_'),
  line: nameBy('job_key_line_'),
} as const

/** The function that makes the partitions of an archive, and drops old ones. */
export const keepArchiveName = nameOf('keep_job_archive_')

/** The channel on which it is told that schedules have changed, by the name of their table. */
export const schedulesChannel = nameOf('changed_')

/** The table of a job table's finished jobs, and the view of both, in its schema: `<table>_archive`, `<table>_all`. */
export const archiveName = ({ name }: Pick<TableName, 'name'>): string => ended(name, '_archive')
export const allJobsName = ({ name }: Pick<TableName, 'name'>): string => ended(name, '_all')

/** How the comments of both begin, by which they are known. */
export const archiveComment = 'The archive of finished jobs, by when they finished, of'
export const allJobsComment = 'All jobs, those in the archive as well, of'

/** What the due index is ordered by, as Postgres shows it. */
export const dueOrder = "(run_at AT TIME ZONE 'UTC'::text)"

/**
 * From this share of the server's notification queue on we notify no more: once it is full, each transaction that notifies
 * fails at its commit. What nobody is told of is found by polling.
 */
export const fullQueue = 0.9

/**
 * `<prefix><table>`, with a hash of schema and table where the plain name would be too long, or would stand
 * for tables of the same name in two schemas (channels are database-wide).
 */
function nameOf(prefix: string) {
  return ({ schema, name }: TableName): string => {
    const plain = prefix + name
    if (schema === 'public' && Buffer.byteLength(plain) <= maxNameBytes) return plain
    return shortened(plain, `_${hashOf([schema, name])}`)
  }
}

/** `<prefix><table>__<column>__<column>`, with a hash where that would be too long, or where a name has the separator in it. */
function nameBy(prefix: string) {
  return ({ schema, name }: TableName, columns: readonly string[]): string => {
    const parts = [name, ...columns]
    const plain = prefix + parts.join('__')
    if (Buffer.byteLength(plain) <= maxNameBytes && !parts.some((part) => part.includes('__'))) return plain
    return shortened(plain, `_${hashOf([schema, ...parts])}`)
  }
}

/** A name with an ending, which it keeps where it is cut. */
export function ended(name: string, ending: string): string {
  const plain = name + ending
  return Buffer.byteLength(plain) <= maxNameBytes ? plain : shortened(name, `_${hashOf([name])}${ending}`)
}

function hashOf(parts: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 8)
}

function shortened(plain: string, ending: string): string {
  const beginning = Buffer.from(plain).subarray(0, maxNameBytes - ending.length)
  return new TextDecoder().decode(beginning, { stream: true }) + ending // a character that was cut is left out
}
