import { type Kysely, sql } from 'kysely'
import type { Home } from '../schema/engine.js'
import type { JobDatabase } from '../schema/job-database.js'
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
      await take(trx, home)
      return questions(trx)
    })
  }
  await sql`savepoint kysely_jobs_reads`.execute(db)
  try {
    await take(db, home)
    return await questions(db)
  } finally {
    await sql`rollback to savepoint kysely_jobs_reads; release savepoint kysely_jobs_reads`.execute(db)
  }
}

async function take(db: Kysely<JobDatabase>, { placement }: Home): Promise<void> {
  if (placement.kind !== 'local') return takeOnNodes(db)
  const taken = Object.entries(settings).map(([name, value]) => sql`pg_catalog.set_config(${name}, ${value}, true)`)
  await sql`select ${sql.join(taken.map((each, n) => sql`${each} as ${sql.raw(`s${n}`)}`))}`.execute(
    db.withoutPlugins(),
  )
}

/** Citus sends its nodes what a SET LOCAL says, where it is told to, and nothing that a function sets. */
async function takeOnNodes(db: Kysely<JobDatabase>): Promise<void> {
  const taken = Object.entries({ 'citus.propagate_set_commands': 'local', ...settings })
  await sql.raw(taken.map(([name, value]) => `set local ${name} = '${value}'`).join('; ')).execute(db.withoutPlugins())
}
