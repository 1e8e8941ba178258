/** A process with a worker for each limited table: node limited-process.ts <settings as JSON>. It is told to end by SIGTERM. */

import { setTimeout as sleep } from 'node:timers/promises'
import { Kysely, PostgresDialect, sql } from 'kysely'
import { createRunner, createWorker, guardPool, linear, snooze } from 'kysely-jobs'
import pg from 'pg'
import { type Limited, type LimitedDatabase, limited, type SpanDatabase, tables } from './tables.ts'

export interface LimitedSettings {
  readonly url: string
  readonly witness: string
  readonly lease: number
}

const { url, witness, lease }: LimitedSettings = JSON.parse(process.argv[2] ?? '')
const handle = <DB>(pool: pg.Pool) => new Kysely<DB>({ dialect: new PostgresDialect({ pool }) })
const spans = handle<SpanDatabase>(new pg.Pool({ connectionString: witness, max: 2 }))
const db = handle<LimitedDatabase>(guardPool(new pg.Pool({ connectionString: url, max: 6 })))
const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }
const clock = sql<number>`extract(epoch from clock_timestamp()) * 1000`

const workers = tables.map((table) => {
  const { options } = limited[table]
  const concurrency = table === 'line_jobs' ? 2 : 4 // there are as many lines as there is work
  const given = { lease, concurrency, listen: url, logger: quiet, maxAttempts: 1_000, backoff: linear({ delay: 100 }) }
  return createWorker(db, table, ({ tenant }, { signal }) => work(table, tenant, signal), { ...given, ...options })
})
const started = workers.map((worker) => new Promise<void>((resolve) => worker.once('started', () => resolve())))
void Promise.all(started).then(() => process.send?.({ event: 'started', facts: {} }))
const orphaned = () => process.exit(1)
process.once('disconnect', orphaned)
process.send?.({ event: 'ready', facts: {} })
await createRunner(db, { workers, deadline: 5_000, logger: quiet }).run()
await Promise.all([db.destroy(), spans.destroy()])
process.off('disconnect', orphaned).disconnect?.()

/** Takes a while; one in twenty fails then, or comes again later. */
async function work(table: Limited, tenant: number, signal: AbortSignal) {
  const span = { job_table: table, tenant, pid: process.pid, begun: clock }
  const { id } = await spans.insertInto('spans').values(span).returning('id').executeTakeFirstOrThrow()
  const chance = Math.random()
  await sleep(50 + chance * 150, undefined, { signal }).catch(() => {}) // whoever has lost its lease ends
  await spans.updateTable('spans').set({ ended: clock, aborted: signal.aborted }).where('id', '=', id).execute()
  if (chance < 0.05) throw new Error('on purpose')
  if (chance > 0.95) return snooze(100)
  return undefined
}
