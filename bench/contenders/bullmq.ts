import { createPostgresBackend, runMigrations, withBackend } from 'bullmq'
import pg from 'pg'
import type { Contender, Payload } from './contender.ts'
import { run } from './statements.ts'

const { Queue, Worker } = withBackend(createPostgresBackend)
const name = 'jobs'

/** With one for each of 100 jobs, as its page on Postgres advises, it drains 0.6 times as fast on two cores. */
const connections = 10

/** Jobs that succeeded are deleted, as its page on Postgres advises. */
const queueOf = (url: string, max = connections) => {
  const queue = new Queue<Payload>(name, {
    connection: { connectionString: url, max },
    defaultJobOptions: { removeOnComplete: true },
  })
  queue.on('error', console.error)
  return queue
}

const entries = (payloads: readonly Payload[]) => payloads.map((data) => ({ name, data }))

/** On its Postgres backend; all else than the pool by default, as there is nothing else that makes it faster. */
export const bull: Contender = {
  title: 'BullMQ on Postgres',
  async migrate(url) {
    const client = new pg.Client(url)
    await client.connect()
    await runMigrations(client)
    await client.end()
  },
  async fill(url, jobs) {
    await run(url, 'truncate bullmq.job, bullmq.event cascade')
    const queue = queueOf(url)
    for (let n = 0; n < jobs; n += 10_000) {
      const length = Math.min(10_000, jobs - n)
      await queue.addBulk(entries(Array.from({ length }, (_, i) => ({ n: n + i }))))
    }
    await queue.close()
  },
  async work(url, { workers, concurrency }, handle) {
    const connection = { connectionString: url, max: connections }
    const all = Array.from(
      { length: workers },
      () => new Worker<Payload>(name, async (job) => handle(job.data), { connection, concurrency }),
    )
    for (const worker of all) worker.on('error', console.error)
    await Promise.all(all.map((worker) => worker.waitUntilReady()))
    return () => Promise.all(all.map((worker) => worker.close()))
  },
  unfinished: 'select exists (select from bullmq.job) as unfinished',
  async enqueuer(url, connections) {
    const queue = queueOf(url, connections)
    return {
      one: (payload) => queue.add(name, payload),
      many: (payloads) => queue.addBulk(entries(payloads)),
      close: () => queue.close(),
    }
  },
}
