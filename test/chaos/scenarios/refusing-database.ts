import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import { startPostgres } from '../../../tools/postgres/start-postgres.ts'
import { Arena } from '../arena.ts'
import { atMost, type Result, type Scenario, type Stage, seconds } from '../scenario.ts'
import { mountSmallDisk, type SmallDisk } from '../small-disk.ts'
import { epoch } from '../witness.ts'
import { contestedRows } from './contested-rows.ts'
import { refusedRows } from './refused-rows.ts'

/** How soon each process must have done a job once the database takes writes again. */
const promised = 2_000

/** A way in which a database takes no writes. */
interface Refusal {
  readonly name: string
  /** What the worker's event must say. */
  readonly says: RegExp
  /** Gives the way to end it. */
  begin(arena: Arena): Promise<() => Promise<unknown>>
}

export const refusingDatabase: Scenario = {
  name: 'R10',
  promise:
    'the database refuses (disk full, read-only, deadlocks, timeouts, a CHECK, a policy, rows changed by hand): outcomes are tried again while the lease lives, the rest of the batch is unharmed',
  async run(stage) {
    const results = await Promise.all([
      refusedRows(stage),
      Arena.play(stage.servers, { lease: 1_000 }, (arena) => refuseAll(arena, stage, [failedOver])),
      ...(stage.form === 'test' ? [] : [refusingServer(stage), contestedRows(stage)]),
    ])
    return {
      breaches: results.flatMap(({ breaches }) => breaches),
      figures: Object.assign({}, ...results.map(({ figures }) => figures)),
    }
  },
}

/** Faults of a whole server, which is its own: its disk is full, and it becomes read-only under sessions that are there. */
async function refusingServer(stage: Stage): Promise<Result> {
  const disk = await mountSmallDisk(16)
  if (disk === undefined) stage.say('disk full: skipped, as no small disk may be mounted here (on Linux root may)')
  const server = await startPostgres({ fsync: false, settings: { synchronous_commit: 'on' } })
  try {
    return await Arena.play({ ...stage.servers, faulty: server.url }, { lease: 2_000 }, (arena) =>
      refuseAll(arena, stage, [...(disk ? [fullDisk(disk)] : []), readOnly]),
    )
  } finally {
    await server.stop()
    await disk?.remove()
  }
}

async function refuseAll(arena: Arena, stage: Stage, refusals: readonly Refusal[]): Promise<Result> {
  await arena.start(stage.form === 'test' ? 1 : 2, { url: arena.directUrl, concurrency: 16 })
  const breaches: string[] = []
  const figures: Record<string, string> = {}
  for (const refusal of refusals) {
    const { slowest, unsaid } = await underRefusal(arena, stage, refusal)
    breaches.push(...unsaid, ...atMost(stage.form, promised, slowest, `at work again after ${refusal.name}`))
    figures[refusal.name] = seconds(slowest)
  }
  const verdict = await arena.verdict()
  return { breaches: [...breaches, ...verdict.breaches], figures }
}

/** It lasts past the lease of what was at work when it began. */
async function underRefusal(arena: Arena, { say }: Stage, { name, says, begin }: Refusal) {
  const hands = arena.crew.alive
  const { lease } = arena.settings
  await arena.enqueue(hands.length * 4, { act: 'work', takes: lease / 2 })
  await arena.enqueue(hands.length * 4, { act: 'stubborn', takes: lease * 1.5 })
  await arena.enqueue(hands.length * 4, { act: 'complete', takes: lease })
  await arena.atWork(hands.length * 4)
  say(`${name} for ${lease * 2} ms`)
  const since = epoch()
  const end = await begin(arena)
  await sleep(lease * 2)
  await end()
  const slowest = await arena.slowestToWork(
    hands.map(({ pid }) => pid),
    epoch(),
  )
  await arena.finished(60_000)
  const errors = hands.flatMap(({ reports }) => reports.filter(({ event, at }) => event === 'error' && at >= since))
  const said = errors.some(({ facts }) => says.test(String(facts.cause)))
  return { slowest, unsaid: said ? [] : [`${name}: no event said ${says}`] }
}

/** The sessions that were there end, and those that follow may not write: those have to be given up when all is well again. */
const failedOver: Refusal = {
  name: 'read-only after a failover',
  says: /read-only transaction/,
  async begin({ db }) {
    const { rows } = await sql<{ name: string }>`select current_database() as name`.execute(db)
    const database = sql.id(rows[0]?.name ?? '')
    await sql`alter database ${database} set default_transaction_read_only = on`.execute(db)
    await sql`select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and pid <> pg_backend_pid()`.execute(db)
    return () => sql`alter database ${database} reset default_transaction_read_only`.execute(db)
  },
}

/** So does a server whose operator says so, to sessions that are there as well. */
const readOnly: Refusal = {
  name: 'read-only',
  says: /read-only transaction/,
  async begin({ db }) {
    await sql`alter system set default_transaction_read_only = on`.execute(db)
    await sql`select pg_reload_conf()`.execute(db)
    return async () => {
      await sql`alter system reset default_transaction_read_only`.execute(db)
      await sql`select pg_reload_conf()`.execute(db)
    }
  },
}

/** The disk of the job table, and of what its trigger writes, has no block left. */
function fullDisk({ path }: SmallDisk): Refusal {
  return {
    name: 'disk full',
    says: /No space left on device/,
    async begin({ db }) {
      await sql`create tablespace small location ${sql.lit(path)}`.execute(db)
      await sql`alter table chaos_jobs set tablespace small`.execute(db)
      // rows are updated in what earlier versions of them left free; what the trigger writes of each needs new pages
      await sql`alter table moves set tablespace small`.execute(db)
      await sql`alter table moves set (fillfactor = 10)`.execute(db)
      await sql`create table ballast (block text) tablespace small`.execute(db)
      const fill = async (rows: number): Promise<unknown> => {
        const line = sql`insert into ballast select string_agg(md5(random()::text), '')
          from generate_series(1, 60), generate_series(1, ${sql.lit(rows)}) as line group by line`
        return line.execute(db).then(
          () => fill(rows),
          () => {},
        )
      }
      await fill(500)
      await fill(1) // what is left is too little for many blocks at once
      return () => sql`drop table ballast`.execute(db)
    },
  }
}
