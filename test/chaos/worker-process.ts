/** A worker process under fault: node worker-process.ts <settings as JSON>. It is told to end by SIGTERM. */

import { setTimeout as sleep } from 'node:timers/promises'
import { Kysely, PostgresDialect } from 'kysely'
import { createRunner, createWorker, guardPool, linear } from 'kysely-jobs'
import pg from 'pg'
import { ballast, ballastAtRest } from './ballast.ts'
import type { Act, ChaosDatabase, WitnessDatabase } from './tables.ts'
import { epoch, Witness } from './witness.ts'

export interface ProcessSettings {
  /** The database under fault, through the proxy where there is one. */
  readonly url: string
  readonly witness: string
  /** The options of its worker, as far as scenarios choose them; durations in milliseconds. */
  readonly lease: number
  readonly pollInterval: number
  readonly concurrency: number
  readonly maxAttempts: number
  readonly listens: boolean
  /** How long handlers may run on after SIGTERM. */
  readonly deadline: number
  readonly poolSize: number
}

const settings: ProcessSettings = JSON.parse(process.argv[2] ?? '')
const before = ballast()
const witnessPool = new pg.Pool({ connectionString: settings.witness, max: 4 })
const witnessDb = new Kysely<WitnessDatabase>({ dialect: new PostgresDialect({ pool: witnessPool }) })
const witness = new Witness(witnessDb)
const pool = guardPool(
  new pg.Pool({ connectionString: settings.url, max: settings.poolSize, application_name: `chaos ${process.pid}` }),
)
const db = new Kysely<ChaosDatabase>({ dialect: new PostgresDialect({ pool }) })

interface Situation {
  readonly takes: number
  readonly attempt: number
  readonly signal: AbortSignal
  effect(): Promise<void>
}

const acts: Record<Act, (situation: Situation) => Promise<void>> = {
  work: ({ takes, signal }) => sleep(takes, undefined, { signal }),
  stubborn: ({ takes }) => sleep(takes),
  block: async ({ takes, attempt }) => {
    if (attempt > 1) return
    const since = epoch()
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, takes)
    await witness.silent({ pid: process.pid, since, until: epoch() })
  },
  complete: async ({ takes, effect }) => {
    await sleep(takes)
    await effect()
  },
}

const { lease, pollInterval, concurrency, maxAttempts } = settings
const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }
const worker = createWorker(
  db,
  'chaos_jobs',
  (job, { signal, attempt, complete }) => {
    const effect = () =>
      db.transaction().execute(async (trx) => {
        await trx.insertInto('effects').values({ job_id: job.id, attempt }).execute()
        await complete(trx, { pid: process.pid, attempt })
      })
    return witness.watch(job.id, attempt, signal, async () => {
      await acts[job.act]({ takes: job.takes, attempt, signal, effect })
      return { pid: process.pid, attempt }
    })
  },
  {
    ...{ lease, pollInterval, concurrency, maxAttempts, logger: quiet },
    backoff: linear({ delay: 100 }),
    ...(settings.listens && { listen: settings.url }),
  },
)
const told = ['started', 'succeeded', 'retry', 'failed', 'lost', 'released', 'rescued', 'listener', 'error'] as const
for (const event of told) worker.on(event, (facts: object) => process.send?.({ event, facts: shown(facts) }))
await witness.hasWorker(worker.id)
const running = createRunner(db, { workers: [worker], deadline: settings.deadline }).run()
process.send?.({ event: 'ready', facts: {} })
await running
process.send?.({ event: 'ran', facts: {} })
await db.destroy()
await witness.told()
await witnessDb.destroy()
process.send?.({ event: 'left', facts: { before, after: await ballastAtRest() } }, () => process.disconnect())

/** As much of an event as a scenario looks at. */
function shown(payload: Record<string, any>): object {
  const { job, jobs, error, reason, ...facts } = payload
  const cause = error ?? reason
  return {
    ...facts,
    ...(job && { job: job.id }),
    ...(jobs && { jobs: jobs.map(({ id }: { id: string }) => id) }),
    ...(cause && { cause: cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause) }),
  }
}
