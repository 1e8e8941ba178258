import { fork } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { Kysely, PostgresDialect } from 'kysely'
import pg from 'pg'
import { now, sleep } from '../clock.ts'
import { run } from '../contenders/statements.ts'
import { createJobLimits, createJobTable, createKeyIndexes } from '../product.ts'
import type { Server } from '../server.ts'

/** How a table is worked off. */
export interface Limits {
  readonly keys: number
  readonly options: object
  readonly processes: number
  readonly concurrency: number
  /** How long a handler waits, in milliseconds; 0: it does nothing. */
  readonly takes: number
}

/** A setting, beside the one without limits that it is compared with, or the jobs a second that its limit allows. */
type Setting = Limits & { readonly against?: string; readonly allowed?: number }

const busy = { keys: 1_000, processes: 4, concurrency: 50, takes: 5 }
const quick = { keys: 1_000, processes: 2, concurrency: 50, takes: 0 }
const few = { ...busy, keys: 10 }
const shared = { ...few, concurrency: 16 }
const ofKey = { limit: { by: 'key', max: 2 } }
const ofAll = { limit: { max: 20 } }
const [free, freeQuick] = ['no limit, 5 ms', 'no limit, handlers that do nothing']

export const limits: Readonly<Record<string, Setting>> = {
  [free]: { ...busy, options: {} },
  '1,000 keys × 2, 5 ms': { ...busy, options: ofKey, against: free },
  '100,000 keys × 2, 5 ms': { ...busy, keys: 100_000, options: ofKey, against: free },
  'fifo, 1,000 keys, 5 ms': { ...busy, options: { fifo: 'key' }, against: free },
  '10 keys × 2, 5 ms': { ...few, options: ofKey, allowed: 4_000 },
  '10 keys × 2, 50 ms': { ...few, options: ofKey, takes: 50, allowed: 400 },
  '20 of all, 5 ms': { ...shared, options: ofAll, allowed: 4_000 },
  '20 of all, 50 ms': { ...shared, options: ofAll, takes: 50, allowed: 400 },
  'rate, 10 keys × 50 a second': {
    ...few,
    options: { rate: { by: 'key', max: 50, per: '1s', burst: 10 } },
    allowed: 500,
  },
  [freeQuick]: { ...quick, options: {} },
  'fifo, 1,000 keys': { ...quick, options: { fifo: 'key' }, against: freeQuick },
  'fairBy, 1,000 keys': { ...quick, options: { fairBy: 'key' }, against: freeQuick },
}

/** Jobs of a table: more than can be done while it is measured. */
const jobs = 400_000

const program = fileURLToPath(new URL('./limits-process.ts', import.meta.url))

/** Jobs a second of processes that are warm, while more than enough are due. */
export async function limitedRate(
  server: Server,
  { keys, options, ...work }: Limits,
  seconds: number,
): Promise<number> {
  const url = await server.emptyDatabase(`limits_${randomUUID()}`)
  await migrate(url)
  await run(url, `insert into limited_jobs (key) select n % ${keys} from generate_series(1, ${jobs}) n`)
  await server.quiet(url)
  const settings = JSON.stringify({ url, options, ...work })
  const processes = Array.from({ length: work.processes }, () => fork(program, [settings]))
  const told = async (word: string) => {
    const answers = processes.map((child) => once(child, 'message'))
    for (const child of processes) child.send(word)
    return (await Promise.all(answers)).reduce((sum, [count]) => sum + count, 0)
  }
  try {
    await Promise.all(processes.map((child) => once(child, 'message')))
    await sleep(1_000)
    const [before, since] = [await told('count'), now()]
    await sleep(seconds * 1_000)
    const [after, until] = [await told('count'), now()]
    if (after > jobs * 0.98) throw new Error(`${jobs} jobs are too few to measure ${seconds} s`)
    return ((after - before) / (until - since)) * 1_000
  } finally {
    const exits = processes.map((child) => child.exitCode === null && once(child, 'exit'))
    for (const child of processes) child.disconnect()
    await Promise.all(exits)
    await server.dropDatabase(url)
  }
}

async function migrate(url: string): Promise<void> {
  const db = new Kysely({ dialect: new PostgresDialect({ pool: new pg.Pool({ connectionString: url }) }) })
  await createJobTable(db, 'limited_jobs', (table) => table.addColumn('key', 'integer', (column) => column.notNull()))
  await createKeyIndexes(db, 'limited_jobs', ['key'], { fifo: 'continue' })
  await createJobLimits(db)
  await db.destroy()
}
