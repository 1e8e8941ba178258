import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import { Arena } from '../arena.ts'
import type { Report } from '../crew.ts'
import type { Result, Stage } from '../scenario.ts'
import { epoch } from '../witness.ts'

/** Something that makes statements fail which another try would not meet. */
interface Contest {
  readonly name: string
  /** What the worker's event must say. */
  readonly says: RegExp
  /** Settings of the database, in force for all sessions that begin from then on. */
  readonly settings: Readonly<Record<string, string>>
  /** What is done to the table while workers are at it; some times. */
  strike(arena: Arena): Promise<unknown>
}

const contests: readonly Contest[] = [
  {
    name: 'deadlocks',
    says: /deadlock detected/,
    settings: { deadlock_timeout: '100ms' },
    // a user's transaction takes what the trigger of a settled job wants, and then jobs
    strike: ({ db }) =>
      db
        .transaction()
        .execute(async (trx) => {
          await sql`update ledger set total = total + 1`.execute(trx)
          await someoneWaits(db)
          await sql`update chaos_jobs set takes = takes where status = 'job_status_running'`.execute(trx)
        })
        .catch(() => {}), // one of the two is the victim
  },
  {
    name: 'serialization failures',
    says: /could not serialize access/,
    settings: { default_transaction_isolation: 'serializable' },
    strike: () => sleep(50),
  },
  {
    name: 'short timeouts',
    says: /lock timeout|statement timeout/,
    settings: { lock_timeout: '40ms', statement_timeout: '100ms' },
    strike: async (arena) => {
      const { db, crew } = arena
      const since = epoch()
      await db.transaction().execute(async (trx) => {
        await sql`set local lock_timeout = 0`.execute(trx)
        await sql`set local statement_timeout = 0`.execute(trx)
        await sql`lock table chaos_jobs in access exclusive mode`.execute(trx)
        if (!(await someoneWaits(db))) return // there is no job left
        const told = ({ facts, at }: Report) => at >= since && /timeout/.test(String(facts.cause))
        await Promise.all(crew.alive.map((hand) => hand.said('error', told)))
      })
      const pids = crew.alive.map(({ pid }) => pid)
      await arena.slowestToWork(pids, epoch()) // all are at work again before the next
    },
  },
]

/** Statements of the worker are chosen as victims, for reasons that pass: no attempt is lost. */
export async function contestedRows(stage: Stage): Promise<Result> {
  const results = await Promise.all(
    contests.map((contest) =>
      Arena.play(stage.servers, { lease: 10_000 }, (arena) => underContest(arena, stage, contest)),
    ),
  )
  return {
    breaches: results.flatMap(({ breaches }) => breaches),
    figures: Object.assign({}, ...results.map(({ figures }) => figures)),
  }
}

async function underContest(arena: Arena, { say }: Stage, contest: Contest): Promise<Result> {
  await prepare(arena, contest)
  await arena.start(2, { url: arena.directUrl })
  await arena.enqueue(300, { act: 'work', takes: 20 })
  await arena.enqueue(30, { act: 'complete', takes: 20 })
  say(contest.name)
  for (let strikes = 0; strikes < 10 && (await arena.unfinished()) !== 0; strikes++) await contest.strike(arena)
  await arena.finished(60_000)
  const { breaches, evidence } = await arena.verdict()
  const errors = arena.crew.hands
    .flatMap(({ reports }) => reports)
    .filter(({ event, facts }) => event === 'error' && contest.says.test(String(facts.cause)))
  // what rolls a handler's own transaction back is an error of the handler
  const again = evidence.jobs.filter(({ act, attempts_count }) => act !== 'complete' && attempts_count > 1)
  return {
    breaches: [
      ...breaches,
      ...(errors.length > 0 ? [] : [`${contest.name}: no event said ${contest.says}`]),
      ...again.map(({ id, last_error }) => `${contest.name}: job ${id} lost an attempt: ${last_error}`),
    ],
    figures: { [contest.name]: errors.length },
  }
}

/** Until a session waits for another's lock, but no longer than a second: there may be no job left to be settled. */
async function someoneWaits(db: Arena['db']): Promise<boolean> {
  const waiting = sql`select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`
  for (const end = performance.now() + 1_000; performance.now() < end; await sleep(5)) {
    if ((await waiting.execute(db)).rows.length > 0) return true
  }
  return false
}

/** The settings, and a trigger of the user's that counts what succeeded. */
async function prepare({ db }: Arena, { settings }: Contest): Promise<void> {
  const { rows } = await sql<{ name: string }>`select current_database() as name`.execute(db)
  for (const [name, value] of Object.entries(settings)) {
    await sql`alter database ${sql.id(rows[0]?.name ?? '')} set ${sql.raw(name)} = ${sql.lit(value)}`.execute(db)
  }
  await sql`create table ledger as select 0 as total`.execute(db)
  await sql`create function count_success() returns trigger language plpgsql as $$ begin
    update ledger set total = total + 1; return null; end $$`.execute(db)
  await sql`create trigger count_success after update on chaos_jobs for each row
    when (new.status = 'job_status_succeeded') execute function count_success()`.execute(db)
}
