import { sql } from 'kysely'
import type { JobArchive } from '../schema/archive.js'
import type { Jobs } from '../schema/job-database.js'
import { keepArchiveName, quotedName } from '../schema/names.js'
import { asText, textsOf } from '../schema/text.js'

/** What became of an archive's partitions. */
export interface KeptArchive {
  /** The names of partitions that were made, and of those that were dropped with the jobs in them. */
  readonly made: readonly string[]
  readonly dropped: readonly string[]
  /** Jobs that ended when there was no partition for them, and are in the default one: at most 10,001 are counted. */
  readonly misplaced: number
  /** A lock was not to be had at once: there is more to do. */
  readonly busy: boolean
}

/** Calls the function that makes an archive's partitions and drops old ones. @returns undefined where another does it */
export async function keepArchive({ db }: Jobs, { of }: JobArchive): Promise<KeptArchive | undefined> {
  const keep = sql.raw(`${quotedName({ schema: of.schema, name: keepArchiveName(of) })}()`)
  const [text] = await textsOf(db, db.selectNoFrom(asText(keep)).compile())
  return text ? (JSON.parse(text) as KeptArchive) : undefined // as the function makes it
}
