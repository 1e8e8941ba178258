import { sql } from 'kysely'
import { sqlState } from '../../pg/error-class.js'
import { withDeadline } from '../../watch/deadline.js'
import { type Examined, readJson } from '../read.js'

/** What a pooler whose clients have a session for one statement says of `begin`, before it hangs up. */
const refused = '08P01'

/** What stands between this program and the server, as far as that can be proven. */
export type Pooling = 'none' | 'transaction' | 'statement'

/**
 * Whether a pooler gives each transaction, or each statement, another session of the server: two connections that are open at the same time
 * have the same process of the server, or one of them has first one and then another.
 *
 * @param patience milliseconds for a second connection
 * @throws DeadlineError where there is none, as in a pool of one
 */
export async function readPooling(db: Examined, patience: number): Promise<Pooling> {
  return db.connection().execute(async (first) => {
    const before = await processOf(first)
    const compared = db.transaction().execute(async (second) => {
      const isShared = (await processOf(second)) === before || (await processOf(first)) !== before
      return isShared ? 'transaction' : 'none'
    })
    return withDeadline(compared, patience, 'a second connection').catch((error: unknown) => {
      if (sqlState(error) === refused) return 'statement'
      throw error
    })
  })
}

async function processOf(db: Examined): Promise<number> {
  const [process] = await readJson<number>(db, sql`pg_catalog.pg_backend_pid()`)
  return process ?? 0
}
