import { type RawBuilder, type SqlBool, sql } from 'kysely'
import { volatile } from '../schema/fitted.js'

/**
 * True, evaluated once, and from then on the transaction's commit waits neither for the disk nor for a standby. For what a
 * crash of the server may forget (what was written in its last moments, at most three times `wal_writer_delay`): a claim, so
 * that its row is pending as before, and the fence refuses its outcome once another has claimed it; a renewal, so that the
 * lease ends earlier; a rescue, which is done again. An outcome that was written keeps its claim: it comes later in the log.
 */
export function committedLater(): RawBuilder<SqlBool> {
  return sql.raw(volatile.commitLater)
}
