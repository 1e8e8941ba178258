/** A process of the measure of limits: node limits-process.ts <settings as JSON>. Asked by a word, it says how many jobs it has done. */

import { Kysely, PostgresDialect } from 'kysely'
import pg from 'pg'
import type { JobTable } from '../contenders/kysely-jobs.ts'
import { createWorker, guardPool } from '../product.ts'

const { url, options, concurrency, takes } = JSON.parse(process.argv[2] ?? '')
const pool = guardPool(new pg.Pool({ connectionString: url, max: 10 }))
const db = new Kysely<{ limited_jobs: JobTable }>({ dialect: new PostgresDialect({ pool }) })
const handler = takes === 0 ? () => {} : () => new Promise<void>((resolve) => setTimeout(resolve, takes))
const logger = { debug: () => {}, info: () => {}, warn: () => {}, error: console.error } // its advice is known
const worker = createWorker(db, 'limited_jobs', handler, { concurrency, listen: url, logger, ...options })
let done = 0
worker.on('succeeded', () => {
  done += 1
})
process.on('message', () => process.send?.(done))
process.once('disconnect', () => worker.stop({ deadline: 1_000 }).then(() => process.exit()))
await worker.start()
process.send?.(0)
