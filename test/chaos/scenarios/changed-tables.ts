import { setTimeout as sleep } from 'node:timers/promises'
import { type Kysely, sql } from 'kysely'
import { Migrator } from 'kysely/migration'
import { createJobTable, createJobTriggers, dropJobTable, dropJobTriggers } from 'kysely-jobs/migrate'
import { Arena } from '../arena.ts'
import { atMost, type Result, type Scenario, type Stage, seconds } from '../scenario.ts'
import { epoch } from '../witness.ts'

const lease = 1_500

/** How soon after the change each process must have done a job: a pause after errors is no longer than that. */
const promised = 5_000

/** What a developer, a deployment or a backup does to a job table in use. */
interface Change {
  readonly name: string
  make(arena: Arena): Promise<unknown>
  /** Nobody waits for it: jobs are done while it lasts. */
  readonly harmless?: true
  /** It keeps workers waiting for so long that they have to say why. */
  readonly told?: RegExp
}

const run = (arena: Arena, ...statements: string[]) =>
  statements.reduce(
    (before, text) => before.then(() => sql.raw(text).execute(arena.db)),
    Promise.resolve() as Promise<unknown>,
  )

/** A transaction that does something, and stays open for so long. */
const open = (arena: Arena, lasts: number, ...statements: string[]) =>
  arena.db.transaction().execute(async (trx) => {
    for (const text of statements) await sql.raw(text).execute(trx)
    await sleep(lasts)
  })

const changes: readonly Change[] = [
  {
    name: 'columns added, dropped, and added with another type',
    make: (arena) =>
      run(
        arena,
        `alter table chaos_jobs add column note text not null default 'x'`,
        'alter table chaos_jobs drop column note',
        'alter table chaos_jobs add column note integer',
        'alter table chaos_jobs alter column note type bigint',
        'alter table chaos_jobs drop column note',
      ),
  },
  {
    name: 'copied, as by pg_dump',
    harmless: true,
    make: (arena) =>
      arena.db
        .transaction()
        .setIsolationLevel('repeatable read')
        .execute(async (trx) => {
          await sql`lock table chaos_jobs in access share mode`.execute(trx)
          await sql`select * from chaos_jobs`.execute(trx)
          const pids = arena.crew.alive.map(({ pid }) => pid)
          await arena.slowestToWork(pids, epoch()) // each works beside it
        }),
  },
  {
    name: 'held in the modes that go with ROW EXCLUSIVE, and with nothing stronger',
    harmless: true,
    make: (arena) =>
      open(
        arena,
        1_500,
        'lock table chaos_jobs in share update exclusive mode',
        'lock table chaos_jobs in row exclusive mode',
      ),
  },
  {
    name: 'indexed',
    make: (arena) => open(arena, 400, 'create index by_act on chaos_jobs (act)'),
  },
  {
    name: 'indexed concurrently',
    make: (arena) =>
      run(arena, 'drop index by_act', 'create index concurrently by_act on chaos_jobs (act)', 'drop index by_act'),
  },
  { name: 'rewritten by VACUUM FULL', make: (arena) => run(arena, 'vacuum full chaos_jobs', 'analyze chaos_jobs') },
  {
    name: 'without its triggers',
    make: async (arena) => {
      await dropJobTriggers(arena.db, 'chaos_jobs')
      await arena.enqueue(20, { act: 'work', takes: 20 })
      await arena.finished(20_000) // by polling
      await createJobTriggers(arena.db, 'chaos_jobs')
    },
  },
  {
    name: 'renamed away and back',
    told: /does not exist/,
    make: async (arena) => {
      const since = epoch()
      await run(arena, 'alter table chaos_jobs rename to elsewhere')
      await Promise.race(
        arena.crew.alive.map((hand) =>
          hand.said('error', ({ at, facts }) => at >= since && /does not exist/.test(String(facts.cause))),
        ),
      )
      await run(arena, 'alter table elsewhere rename to chaos_jobs')
    },
  },
  { name: 'truncated', make: (arena) => run(arena, 'truncate chaos_jobs') },
  { name: 'beside migrations of two processes', make: migrateTwice },
  {
    name: 'locked for longer than a third of a lease',
    told: /is locked/,
    make: (arena) => open(arena, lease * 0.6, 'lock table chaos_jobs in access exclusive mode'),
  },
  {
    name: 'locked for longer than a lease',
    told: /is locked/,
    make: (arena) => open(arena, lease * 1.5, 'lock table chaos_jobs in access exclusive mode'),
  },
]

/** Two deployments at once: each migration is made by one of them, and neither fails. */
async function migrateTwice({ db }: Arena): Promise<void> {
  const handle = db as Kysely<any>
  const migrations = {
    '1': {
      up: (trx: Kysely<any>) => createJobTable(trx, 'other_jobs'),
      down: (trx: Kysely<any>) => dropJobTable(trx, 'other_jobs'),
    },
    '2': {
      up: (trx: Kysely<any>) => trx.schema.alterTable('chaos_jobs').addColumn('note', 'text').execute(),
      down: (trx: Kysely<any>) => trx.schema.alterTable('chaos_jobs').dropColumn('note').execute(),
    },
  }
  const migrator = () => new Migrator({ db: handle, provider: { getMigrations: async () => migrations } })
  const up = await Promise.all([migrator().migrateToLatest(), migrator().migrateToLatest()])
  const down = [await migrator().migrateDown(), await migrator().migrateDown()]
  for (const { error } of [...up, ...down]) if (error !== undefined) throw error
}

const quick = [
  'columns added, dropped, and added with another type',
  'renamed away and back',
  'locked for longer than a lease',
]

export const changedTables: Scenario = {
  name: 'R14',
  promise: 'DDL and locks while workers run: they ask for no lock above ROW EXCLUSIVE, wait, say so, and go on',
  run: (stage) => Arena.play(stage.servers, { lease, pollInterval: 300 }, (arena) => changeAgainAndAgain(arena, stage)),
}

async function changeAgainAndAgain(arena: Arena, stage: Stage): Promise<Result> {
  await arena.start(stage.form === 'test' ? 1 : 2)
  const locks = await watchLocks(arena)
  const chosen = stage.form === 'test' ? changes.filter(({ name }) => quick.includes(name)) : changes
  const breaches: string[] = []
  const times: (number | undefined)[] = []
  for (let round = 0; round < (stage.form === 'long' ? 30 : 1); round++) {
    for (const change of chosen) {
      stage.say(change.name)
      const { slowest, wrong } = await under(change, arena, stage)
      times.push(slowest)
      breaches.push(...wrong.map((what) => `${change.name}: ${what}`))
    }
  }
  const modes = await locks.end()
  const verdict = await arena.verdict()
  const tooStrong = modes.filter((mode) => !allowed.includes(mode))
  return {
    breaches: [
      ...breaches,
      ...verdict.breaches,
      ...tooStrong.map((mode) => `a worker asked for ${mode} on the job table`),
      ...(modes.includes('RowExclusiveLock') ? [] : ['no lock of a worker was seen']),
    ],
    figures: {
      changes: times.length,
      'at work again within': seconds(
        times.reduce((a, b) => (a === undefined || b === undefined ? undefined : Math.max(a, b)), 0),
      ),
      locks: modes.join(' '),
    },
  }
}

async function under({ make, harmless, told }: Change, arena: Arena, { form }: Stage) {
  const pids = arena.crew.alive.map(({ pid }) => pid)
  await arena.enqueue(pids.length * 40, { act: 'work', takes: 80 })
  await arena.enqueue(2, { act: 'complete', takes: 300 })
  await arena.atWork(pids.length)
  const begun = epoch()
  const made = make(arena).then(epoch)
  // where nobody has to wait, each process begins and ends a job before it is over
  if (harmless) await arena.slowestToWork(pids, begun)
  const over = await made
  const slowest = await arena.slowestToWork(pids, harmless ? begun : over)
  await arena.finished(60_000)
  const said = arena.crew.hands.flatMap(({ reports }) => reports.filter(({ at }) => at >= begun))
  const explained = told === undefined || said.some(({ event, facts }) => event === 'error' && told.test(facts.cause))
  return {
    slowest,
    wrong: [
      ...atMost(form, promised, slowest, 'at work again'),
      ...(harmless && begun + (slowest ?? Number.POSITIVE_INFINITY) > over && form !== 'test'
        ? ['workers waited for it']
        : []),
      ...(explained ? [] : [`no worker said ${told}`]),
    ],
  }
}

/** What every statement of a worker may ask for: the modes of reading, of row locks and of writing. */
const allowed = ['AccessShareLock', 'RowShareLock', 'RowExclusiveLock']

/** Looks again and again at which locks on the job table the processes' backends hold or wait for. */
async function watchLocks(arena: Arena): Promise<{ end(): Promise<string[]> }> {
  const { rows } = await sql<{ oid: number }>`select 'chaos_jobs'::regclass::oid as oid`.execute(arena.db)
  const seen = new Set<string>()
  let over = false
  const watching = (async () => {
    for (; !over; await sleep(20)) {
      const { rows: locks } = await sql<{ mode: string }>`
        select distinct mode from pg_locks join pg_stat_activity using (pid)
        where application_name like 'chaos %' and datname = current_database()
          and locktype = 'relation' and relation = ${rows[0]?.oid}`.execute(arena.db) // who waits for a row locks that as well
      for (const { mode } of locks) seen.add(mode)
    }
  })()
  return {
    end: async () => {
      over = true
      await watching
      return [...seen].sort()
    },
  }
}
