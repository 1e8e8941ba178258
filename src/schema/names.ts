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

/** The channel on which a job table's triggers notify; the seed's name for a table in `public`. */
export function channelName(table: TableName): string {
  return objectName('job_available_', table)
}

/**
 * From this share of the server's notification queue on we notify no more: once it is full, each transaction that notifies
 * fails at its commit. What nobody is told of is found by polling.
 */
export const fullQueue = 0.9

/** The function behind both triggers. */
export function functionName(table: TableName): string {
  return objectName('notify_job_queued_', table)
}

export function insertTriggerName(table: TableName): string {
  return objectName('did_insert_job_', table)
}

export function updateTriggerName(table: TableName): string {
  return objectName('did_update_job_', table)
}

/** The partial index the fetch goes by. */
export function readyIndexName(table: TableName): string {
  return objectName('job_ready_', table)
}

/** The partial index by which a table with `priority` is asked what is due, at whatever level. */
export function dueIndexName(table: TableName): string {
  return objectName('job_due_', table)
}

/** What the due index is ordered by, as Postgres shows it. */
export const dueOrder = "(run_at AT TIME ZONE 'UTC'::text)"

/** The partial index rescue goes by. */
export function runningIndexName(table: TableName): string {
  return objectName('job_running_', table)
}

/** The partial index by which those that failed are counted and found. */
export function failedIndexName(table: TableName): string {
  return objectName('job_failed_', table)
}

/** The partial index prune goes by. */
export function finishedIndexName(table: TableName): string {
  return objectName('job_finished_', table)
}

/**
 * `<prefix><table>`, with a hash of schema and table where the plain name would be too long, or would stand
 * for tables of the same name in two schemas (channels are database-wide).
 */
function objectName(prefix: string, { schema, name }: TableName): string {
  const plain = prefix + name
  if (schema === 'public' && Buffer.byteLength(plain) <= maxNameBytes) return plain
  const hash = createHash('sha256')
    .update(JSON.stringify([schema, name]))
    .digest('hex')
    .slice(0, 8)
  return `${firstBytes(plain, maxNameBytes - hash.length - 1)}_${hash}`
}

/** The longest beginning of a text that fits in so many bytes of UTF-8, cut between characters. */
function firstBytes(text: string, limit: number): string {
  let bytes = 0
  let kept = ''
  for (const character of text) {
    bytes += Buffer.byteLength(character)
    if (bytes > limit) break
    kept += character
  }
  return kept
}
