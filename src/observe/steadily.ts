import { type Kysely, sql } from 'kysely'
import type { JobDatabase } from '../schema/job-database.js'
import { setLocally } from '../schema/local-settings.js'
import type { JobView } from './view.js'

/**
 * What each statement here relies on. Texts are the same whatever the user's session says. And indexes are walked in their order: with
 * old statistics the planner takes a few thousand rows for all there are, and reads and sorts millions of them for a page. Such
 * settings make a statement costly in its eyes, for which it would compile it.
 */
const settings: Readonly<Record<string, string>> = {
  DateStyle: 'ISO, YMD',
  TimeZone: 'UTC',
  IntervalStyle: 'postgres',
  extra_float_digits: '1',
  bytea_output: 'hex',
  enable_seqscan: 'off',
  enable_bitmapscan: 'off',
  enable_sort: 'off',
  jit: 'off',
}

/**
 * Asks questions under these settings, which end with them: in a transaction that only reads, or within the one that is given, which goes
 * on as it was, also where a question fails.
 */
export async function steadily<Answer>(
  db: Kysely<JobDatabase>,
  { home }: Pick<JobView, 'home'>,
  questions: (db: Kysely<JobDatabase>) => Promise<Answer>,
): Promise<Answer> {
  if (!db.isTransaction) {
    const transaction = db.transaction().setAccessMode('read only')
    return transaction.execute(async (trx) => {
      await setLocally(trx, home.placement, settings)
      return questions(trx)
    })
  }
  await sql`savepoint kysely_jobs_reads`.execute(db)
  try {
    await setLocally(db, home.placement, settings)
    return await questions(db)
  } finally {
    await sql`rollback to savepoint kysely_jobs_reads; release savepoint kysely_jobs_reads`.execute(db)
  }
}
