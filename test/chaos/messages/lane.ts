import { setTimeout as sleep } from 'node:timers/promises'
import { type Kysely, sql } from 'kysely'
import { createDatabase, pastTheProxy } from '../arena.ts'
import type { Evidence } from '../invariants.ts'
import { byWorker, type ChaosDatabase, createChaosTables } from '../tables.ts'
import type { MessageDatabase } from './errands.ts'

/** A database in which courses are played, one after the other. */
export interface Lane {
  readonly url: string
  readonly db: Kysely<MessageDatabase>
  /** Ends what the last course left, and empties the tables. */
  reset(): Promise<void>
  /** What the tables tell of a course. */
  evidence(): Promise<Pick<Evidence, 'jobs' | 'moves' | 'effects'>>
  drop(): Promise<void>
}

export async function openLane(server: string): Promise<Lane> {
  const { url, db: made, drop } = await createDatabase<ChaosDatabase>(server)
  await createChaosTables(made)
  const db = made as unknown as Kysely<MessageDatabase> // of the same tables, with one column more
  await sql`alter table chaos_jobs add column max_attempts integer, alter column takes set default 0`.execute(db)
  return {
    ...{ url, db, drop },
    reset: async () => {
      const others = sql`from pg_stat_activity
        where datname = current_database() and backend_type = 'client backend' and application_name <> ${pastTheProxy}`
      await sql`select pg_terminate_backend(pid) ${others}`.execute(db)
      while ((await sql`select ${others}`.execute(db)).rows.length > 0) await sleep(5)
      await sql`truncate chaos_jobs, effects, moves`.execute(db)
    },
    evidence: async () => ({
      moves: (await db.selectFrom('moves').selectAll().orderBy('at').execute()).map(byWorker),
      jobs: await db
        .selectFrom('chaos_jobs')
        .select(['id', 'act', 'status', 'attempts_count', 'last_error', 'result'])
        .execute(),
      effects: await db.selectFrom('effects').selectAll().execute(),
    }),
  }
}
