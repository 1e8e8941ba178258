import { createHash } from 'node:crypto'
import { createReadStream, statSync } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import type { Kysely } from 'kysely'
import type { DB } from '../db.ts'

/** What the second computation found. */
export interface Verification {
  readonly equal: number
  /** Files whose digest differs or is missing, each with why. */
  readonly wrong: readonly string[]
  /** Files that somebody wrote to while the demo ran: they have no one digest. */
  readonly changed: readonly string[]
}

const lanes = 8

/** Computes every digest again, in this process and by other means, and compares. */
export async function verifyDigests(
  db: Kysely<DB>,
  { total, since, signal }: { total: number; since: number; signal: AbortSignal },
): Promise<Verification> {
  const rows = await db.selectFrom('file_jobs').select(['path', 'sha256']).execute()
  const wrong = rows.length === total ? [] : [`${total} jobs were enqueued, ${rows.length} are there`]
  const changed: string[] = []
  let equal = 0
  const waiting = rows.values()
  const lane = async () => {
    for (const { path, sha256 } of waiting) {
      signal.throwIfAborted()
      const again = await digest(path)
      if (again === sha256) equal += sha256 === null ? 0 : 1
      else if (changedSince(path, since)) changed.push(path)
      else wrong.push(`${path}: ${sha256 ?? 'no digest'} in the table, ${again ?? 'unreadable'} now`)
    }
  }
  await Promise.all(Array.from({ length: lanes }, lane))
  return { equal, wrong, changed }
}

/** Null where the file can't be read: then its job must have failed too. */
async function digest(path: string): Promise<string | null> {
  const hash = createHash('sha256')
  try {
    await pipeline(createReadStream(path), hash)
    return hash.digest('hex')
  } catch {
    return null
  }
}

function changedSince(path: string, time: number): boolean {
  const found = statSync(path, { throwIfNoEntry: false })
  return found !== undefined && found.mtimeMs >= time
}
