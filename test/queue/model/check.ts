import fc from 'fast-check'
import { Kysely, PostgresDialect } from 'kysely'
import pg from 'pg'
import { Play } from './play.ts'
import { anyRound, type Round } from './verbs.ts'

/** A round says this many verbs at once, at the most. */
const connections = 4

/**
 * Plays the verbs of the queue at random, several at once, against the model of `job.ts`; in a database that has the tables of
 * `createMailJobs`. A failure is told with its seed and path, which give the same verbs again, if not the same race.
 * @returns how many rounds were played
 */
export async function checkModel(url: string, amount: { plays: number; seed?: number }): Promise<number> {
  // the server looks for a deadlock when one has waited so long; and nothing else may wait for long
  const config = { connectionString: url, max: 1, options: '-c deadlock_timeout=20ms -c statement_timeout=5s' }
  const handles = Array.from({ length: connections }, () => {
    return new Kysely<any>({ dialect: new PostgresDialect({ pool: quietPool(config) }) })
  })
  const db = new Kysely<any>({ dialect: new PostgresDialect({ pool: quietPool({ ...config, max: 4 }) }) })
  let played = 0
  const play = async (rounds: Round[]) => {
    await db.deleteFrom('mail_jobs').execute()
    const one = new Play(db, handles)
    for (const round of rounds) await one.round(round)
    played += rounds.length
  }
  const anyPlay = fc.array(anyRound, { minLength: 15, maxLength: 30, size: 'max' })
  try {
    const { plays, seed } = amount
    // ends the search for a smaller failure, too
    const bounds = { numRuns: plays, interruptAfterTimeLimit: 10_000 + plays * 1_000 }
    await fc.assert(fc.asyncProperty(anyPlay, play), { ...bounds, ...(seed !== undefined && { seed }) })
  } finally {
    await Promise.all([db, ...handles].map((handle) => handle.destroy()))
  }
  return played
}

/** A pool whose connections may be cut, as when their database is dropped, without ending the process. */
function quietPool(config: pg.PoolConfig): pg.Pool {
  const pool = new pg.Pool(config)
  pool.on('error', () => {})
  pool.on('connect', (client) => client.on('error', () => {}))
  return pool
}
