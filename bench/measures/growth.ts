import { randomUUID } from 'node:crypto'
import { type CompiledQuery, Kysely, PostgresDialect, sql } from 'kysely'
import pg from 'pg'
import type { DB } from '../contenders/kysely-jobs.ts'
import {
  createJobTable,
  fetchNextJobs,
  guardPool,
  heartbeat,
  inspectJobTable,
  nextDueAt,
  rescue,
  settle,
} from '../product.ts'
import type { Server } from '../server.ts'
import { type Cost, cost, inTransaction, type Trx } from './cost.ts'

export const verbs = ['fetch', 'wakeUp', 'settle', 'heartbeat', 'rescue'] as const

export type Growth = Readonly<Record<(typeof verbs)[number], Cost>>

/** What fills a table of so many rows. */
export const mixes = {
  'all due': (rows: number) => ({ worked: 0, finished: 0, retry: 0, future: 0, due: rows }),
  'finished, retry, future and 10k due': (rows: number) => ({
    ...{ worked: 0, finished: rows * 0.8, retry: rows * 0.1, future: rows * 0.1, due: 10_000 },
  }),
  'just worked off, and 10k due': (rows: number) => ({
    worked: Math.min(rows, 1e6),
    finished: 0,
    retry: 0,
    future: 0,
    due: 10_000,
  }),
  'archived, and 10k due': (rows: number) => ({
    archived: rows,
    worked: 0,
    finished: 0,
    retry: 0,
    future: 0,
    due: 10_000,
  }),
} satisfies Record<string, (rows: number) => Mix>

interface Mix {
  /** In the archive, where what is settled goes then. */
  readonly archived?: number
  /** Claimed and settled, with nothing but autovacuum behind them. */
  readonly worked: number
  readonly finished: number
  readonly retry: number
  readonly future: number
  readonly due: number
}

/** What becomes of a table that was worked off. */
export const vacuumed = 'worked off, autovacuum has come'

const batch = 500

/** What the statements of a worker cost on a table of this size, by what fills it; with priorities, five of them. */
export async function growth(
  server: Server,
  rows: number,
  name: keyof typeof mixes,
  priority: boolean,
): Promise<{ readonly mix: keyof typeof mixes | typeof vacuumed; readonly cost: Growth }[]> {
  const mix: Mix = mixes[name](rows)
  const url = await server.emptyDatabase(`growth_${randomUUID()}`)
  const statements: CompiledQuery[] = []
  const db = new Kysely<DB>({
    dialect: new PostgresDialect({ pool: guardPool(new pg.Pool({ connectionString: url, max: 1 }), { query: '1h' }) }),
    log: ({ query }) => void statements.push(query),
  })
  try {
    await fill(db, mix, priority)
    const costOf = (trx: Trx, verb: () => Promise<unknown>, rows?: number) => cost(trx, statements, verb, rows)
    const worked = mix.worked === 0 ? undefined : await lastDue(db)
    const measured = () => inTransaction(db, (trx) => measure(trx, costOf, priority, worked))
    const filled = { mix: name, cost: await measured() }
    if (mix.worked === 0) return [filled]
    await server.autovacuumed(db)
    return [filled, { mix: vacuumed, cost: await measured() }]
  } finally {
    await db.destroy()
    await server.dropDatabase(url)
  }
}

async function measure(
  trx: Trx,
  costOf: (trx: Trx, verb: () => Promise<unknown>, rows?: number) => Promise<Cost>,
  priority: boolean,
  dueSince: Date | undefined,
): Promise<Growth> {
  const worker = randomUUID()
  const columns = priority ? (['priority'] as const) : []
  const fetching = claim(worker, priority)
  const next = { columns, dueSince } as object
  const { archive } = await inspectJobTable(trx, 'jobs')
  const ending = { worker, archive, succeeded: archive ? ('archive' as const) : ('keep' as const) }
  const fetch = await costOf(trx, () => fetchNextJobs(trx, 'jobs', fetching), batch)
  const wakeUp = await costOf(trx, () => nextDueAt(trx, 'jobs', next))
  const jobs = await fetchNextJobs(trx, 'jobs', fetching)
  const leases = jobs.map(({ id, attempts_count }) => ({ id, attempt: attempts_count }))
  const outcomes = leases.map((lease) => ({ ...lease, kind: 'succeeded' as const }))
  return {
    fetch,
    wakeUp,
    settle: await costOf(trx, () => settle(trx, 'jobs', outcomes, ending), batch),
    heartbeat: await costOf(trx, () => heartbeat(trx, 'jobs', leases, { worker }), batch),
    rescue: await costOf(trx, () => rescue(trx, 'jobs', { lease: '60s', maxAttempts: 3 })),
  }
}

async function fill(db: Kysely<DB>, mix: Mix, priority: boolean): Promise<void> {
  await createJobTable(db, 'jobs', (table) => table.addColumn('payload', 'jsonb', (column) => column.notNull()), {
    columns: priority ? ['priority'] : [],
    notify: 'none',
    ...(mix.archived !== undefined && { archive: { every: '1 day', keep: '30 days' } }),
  })
  const insert = async (status: string, rows: number, shift: string) => {
    const level = priority ? sql`, n % 5` : sql``
    await sql`insert into jobs (status, payload, run_at ${priority ? sql`, priority` : sql``})
      select ${sql.lit(status)}, '{}', now() ${sql.raw(shift)} + n * interval '1 millisecond' - interval '20 minutes' ${level}
      from generate_series(1, ${sql.lit(Math.round(rows))}) n`.execute(db)
  }
  await insert('job_status_not_started', mix.worked, `- interval '1 day'`)
  await workOff(db, priority)
  await insert('job_status_succeeded', mix.finished, `- interval '1 day'`)
  await insert('job_status_retry', mix.retry, `+ interval '1 day'`)
  await insert('job_status_not_started', mix.future, `+ interval '1 day'`)
  await insert('job_status_not_started', mix.due, '')
  if (mix.archived !== undefined) await archive(db, mix.archived, priority)
  if (mix.worked === 0) await sql`vacuum analyze jobs`.execute(db)
}

/** As if they had come and ended in the last second. */
async function archive(db: Kysely<DB>, rows: number, priority: boolean): Promise<void> {
  const [column, level] = priority ? [sql`, priority`, sql`, 0`] : [sql``, sql``]
  await sql`insert into jobs_archive (id, status, payload, run_at, attempts_count, created_at, updated_at ${column})
    select gen_random_uuid(), 'job_status_succeeded', '{}', now(), 1, now(), now() ${level}
    from generate_series(1, ${sql.lit(rows)})`.execute(db)
  await sql`vacuum analyze jobs_archive`.execute(db)
}

/** When the last job was due that was worked off: from where a worker that has done it asks for the next. */
async function lastDue(db: Kysely<DB>): Promise<Date | undefined> {
  const worked = db.selectFrom('jobs').where('status', '=', 'job_status_succeeded')
  const { due } = await worked.select((eb) => eb.fn.max('run_at').as('due')).executeTakeFirstOrThrow()
  return due ?? undefined
}

/** The table's type has no priority. */
function claim(worker: string, priority: boolean): { worker: string; limit: number } {
  return { worker, limit: batch, ...(priority && { columns: ['priority'] }) }
}

async function workOff(db: Kysely<DB>, priority: boolean): Promise<void> {
  const worker = randomUUID()
  for (;;) {
    const jobs = await fetchNextJobs(db, 'jobs', claim(worker, priority))
    if (jobs.length === 0) return
    const outcomes = jobs.map(({ id, attempts_count: attempt }) => ({ id, attempt, kind: 'succeeded' as const }))
    await settle(db, 'jobs', outcomes, { worker })
  }
}
