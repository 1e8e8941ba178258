import { randomUUID } from 'node:crypto'
import { type CompiledQuery, Kysely, PostgresDialect, sql } from 'kysely'
import pg from 'pg'
import type { DB } from '../contenders/kysely-jobs.ts'
import {
  addJobColumns,
  createJobIndexes,
  fetchNextJobs,
  inspectJobTable,
  leaseOf,
  nextDueAt,
  setJobStorage,
  settle,
} from '../product.ts'
import type { Server } from '../server.ts'
import { type Cost, cost, inTransaction, type Trx } from './cost.ts'

/** A table of 200,000 jobs that have ended, in so many partitions; and what a worker's statements about it cost in all. */
export interface Partitioned {
  readonly by: keyof typeof shapes
  readonly partitions: number
  /** Where nothing is due. */
  readonly idle: Pick<Costs, 'fetch' | 'wakeUp'>
  /** With 10,000 jobs due; of the last day, where they are partitioned by days. */
  readonly backlog: Costs
}

export interface Costs {
  /** Of a batch. */
  readonly fetch: Cost
  readonly wakeUp: Cost
  readonly settleOne: Cost
  readonly settle: Cost
}

const batch = 100

/** How a table is partitioned, and which rows the nth partition is for, 0 the latest. */
export const shapes = {
  'range (created_at)': {
    key: 'id, created_at',
    of: (n: number, all: number) => {
      const day = (ago: number) => `now()::date - ${ago}`
      return `from (${n === all - 1 ? 'minvalue' : day(n)}) to (${n === 0 ? 'maxvalue' : day(n - 1)})`
    },
  },
  'hash (id)': { key: 'id', of: (n: number, all: number) => `with (modulus ${all}, remainder ${n})` },
} as const

export const partitionCounts = [1, 30, 365] as const

/** What a worker's statements cost on a table in so many partitions. */
export async function partitioned(server: Server, by: keyof typeof shapes, partitions: number): Promise<Partitioned> {
  const url = await server.emptyDatabase(`partitioned_${randomUUID()}`)
  const statements: CompiledQuery[] = []
  const pool = new pg.Pool({ connectionString: url, max: 1 })
  pool.on('error', () => {}) // a connection that is still closing when the database goes
  const db = new Kysely<DB>({
    dialect: new PostgresDialect({ pool }),
    log: ({ query }) => void statements.push(query),
  })
  try {
    await create(db, by, partitions)
    await sql`insert into jobs (status, payload, created_at, run_at, updated_at)
      select 'job_status_succeeded', '{}', at, at, at
      from (select now() - random() * ${partitions}::int * interval '1 day' as at from generate_series(1, 190000)) ended`.execute(
      db,
    )
    await sql`vacuum analyze jobs`.execute(db)
    const idle = await inTransaction(db, (trx) => costsOf(trx, statements))
    await sql`insert into jobs (payload, run_at) select '{}', now() - random() * interval '1 hour' from generate_series(1, 10000)`.execute(
      db,
    )
    await sql`analyze jobs`.execute(db)
    const backlog = await inTransaction(db, async (trx) => ({
      ...(await costsOf(trx, statements)),
      ...(await costsOfSettling(trx, statements)),
    }))
    return { by, partitions, idle, backlog }
  } finally {
    await db.destroy()
    await server.dropDatabase(url)
  }
}

async function create(db: Kysely<DB>, by: keyof typeof shapes, partitions: number): Promise<void> {
  const { key, of } = shapes[by]
  const columns = `id uuid not null default uuidv7(), created_at timestamptz not null default now(), payload jsonb not null`
  await sql.raw(`create table jobs (${columns}, primary key (${key})) partition by ${by}`).execute(db)
  for (let n = 0; n < partitions; n++) {
    await sql.raw(`create table jobs_${n} partition of jobs for values ${of(n, partitions)}`).execute(db)
  }
  await addJobColumns(db, 'jobs')
  await createJobIndexes(db, 'jobs')
  await setJobStorage(db, 'jobs')
}

async function costsOf(trx: Trx, statements: CompiledQuery[]): Promise<Partitioned['idle']> {
  const { key } = await inspectJobTable(trx, 'jobs')
  const claim = { worker: randomUUID(), key, limit: batch }
  return {
    fetch: await cost(trx, statements, () => fetchNextJobs(trx, 'jobs', claim)),
    wakeUp: await cost(trx, statements, () => nextDueAt(trx, 'jobs')),
  }
}

async function costsOfSettling(trx: Trx, statements: CompiledQuery[]): Promise<Pick<Costs, 'settle' | 'settleOne'>> {
  const { key } = await inspectJobTable(trx, 'jobs')
  const worker = randomUUID()
  const jobs = await fetchNextJobs(trx, 'jobs', { worker, key, limit: batch })
  const outcomes = jobs.map((job) => ({ ...leaseOf(job), kind: 'succeeded' as const }))
  const ending = { worker, key }
  return {
    settleOne: await cost(trx, statements, () => settle(trx, 'jobs', outcomes.slice(0, 1), ending)),
    settle: await cost(trx, statements, () => settle(trx, 'jobs', outcomes, ending)),
  }
}
