import { randomUUID } from 'node:crypto'
import pg from 'pg'
import { compileHold, compileSuccess, createBatchWorker, jobsOf } from '../product.ts'
import type { Contender, Payload } from './contender.ts'
import { connect, ours } from './kysely-jobs.ts'
import { sentBy, someId, withIds } from './sent.ts'

const size = 500

/** Each job writes one row of its own, in the transaction in which it ends; a batch is one call of the handler. */
export const oursBatch: Contender = {
  ...ours,
  title: `kysely-jobs, batches of ${size} in transactions`,
  async work(url, { workers, concurrency }, handle) {
    const db = connect(url)
    const options = { size, concurrency, hold: 'transaction', select: ['payload'], listen: url } as const
    const all = Array.from({ length: workers }, () =>
      createBatchWorker(
        db,
        'jobs',
        async (jobs, { trx }) => {
          for (const { payload } of jobs) handle(payload)
          const effects = jobs.map(({ payload: { n } }) => ({ n }))
          await trx.insertInto('effects').values(effects).execute()
        },
        options,
      ),
    )
    await Promise.all(all.map((worker) => worker.start()))
    return async () => {
      await Promise.all(all.map((worker) => worker.stop()))
      await db.destroy()
    }
  },
}

/** The same by hand: the statements that hold jobs, write the rows and end the jobs, in turn on one connection, and no library. */
export const batchByHand: Contender = {
  ...ours,
  title: 'limit: the batches by hand',
  async work(url, _options, handle) {
    const { hold, succeed } = await statements()
    const client = new pg.Client(url)
    await client.connect()
    /** @returns how many jobs there were */
    const batch = async () => {
      const held = { text: hold.sql, values: [...hold.parameters], rowMode: 'array' }
      const { rows } = await client.query<Held>(held)
      if (rows.length === 0) return 0
      const numbers = rows.map(([, , payload]) => payload.n)
      for (const n of numbers) handle({ n })
      await client.query(insertOf(numbers.length), numbers)
      const ids = rows.map(([id]) => id)
      await client.query(succeed.sql, withIds(succeed, ids))
      return rows.length
    }
    let stopped = false
    const loop = async () => {
      while (!stopped) {
        await client.query('begin')
        const jobs = await batch()
        await client.query('commit')
        if (jobs === 0) await new Promise((resolve) => setTimeout(resolve, 1))
      }
    }
    const looping = loop()
    return async () => {
      stopped = true
      await looping
      await client.end()
    }
  },
}

type Held = readonly [id: string, attempts: number, payload: Payload]

function insertOf(rows: number): string {
  const places = Array.from({ length: rows }, (_, i) => `($${i + 1})`)
  return `insert into "effects" ("n") values ${places.join(', ')}`
}

/** The SQL by which a worker holds jobs and ends them. */
async function statements() {
  const claim = { worker: randomUUID(), columns: [], select: ['payload'], deletes: false }
  const [hold, succeed] = await sentBy(async (db) => {
    const jobs = jobsOf(db, 'jobs')
    await compileHold(jobs, claim)(jobs.db, { limit: size })
    const succeeded = compileSuccess(jobs, claim.columns, {})(jobs.db, [{ id: someId, attempt: 1, kind: 'succeeded' }])
    await succeeded.catch(() => {}) // it misses the row
  })
  if (hold === undefined || succeed === undefined) throw new Error('kysely logged no statements')
  return { hold, succeed }
}
