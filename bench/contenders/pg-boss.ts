import { PgBoss } from 'pg-boss'
import type { Contender, Payload } from './contender.ts'
import { run } from './statements.ts'

const queue = 'jobs'
const batchSize = 1000

/** As fast as it goes: whole batches, fetched without a pause while they come full, and woken by notifications. */
const pgBoss = (title: string, consumers: number): Contender => {
  const start = async (url: string, connections = 10) => {
    const boss = new PgBoss({ connectionString: url, max: connections, useListenNotify: true })
    boss.on('error', console.error)
    await boss.start()
    return boss
  }
  return {
    title,
    async migrate(url) {
      const boss = await start(url)
      await boss.createQueue(queue, { notify: true })
      await boss.stop({ graceful: false })
    },
    async fill(url, jobs) {
      await run(url, 'truncate pgboss.job cascade')
      const boss = await start(url)
      for (let n = 0; n < jobs; n += 10_000) {
        const length = Math.min(10_000, jobs - n)
        await boss.insert(
          queue,
          Array.from({ length }, (_, i) => ({ data: { n: n + i } })),
        )
      }
      await boss.stop({ graceful: false })
    },
    async work(url, { workers, concurrency }, handle) {
      const boss = await start(url)
      const options = { batchSize, localConcurrency: consumers, burstWhenBatchFull: true }
      const atOnce = Math.max(1, Math.ceil(concurrency / consumers))
      for (let worker = 0; worker < workers; worker++)
        await boss.work<Payload>(queue, options, (jobs) => runAll(jobs, atOnce, ({ data }) => handle(data)))
      return () => boss.stop({ graceful: false })
    },
    unfinished: `select exists (select from pgboss.job where name = '${queue}' and state < 'completed') as unfinished`,
    async enqueuer(url, connections) {
      const boss = await start(url, connections)
      return {
        one: (payload) => boss.send(queue, payload),
        many: (payloads) =>
          boss.insert(
            queue,
            payloads.map((data) => ({ data })),
          ),
        close: () => boss.stop({ graceful: false }),
      }
    },
  }
}

/** Runs a batch, so many at once. */
async function runAll<Item>(items: readonly Item[], atOnce: number, handle: (item: Item) => unknown): Promise<void> {
  const left = items.values()
  const lane = async () => {
    for (const item of left) await handle(item)
  }
  await Promise.all(Array.from({ length: atOnce }, lane))
}

export const bossSingle = pgBoss('pg-boss, one consumer', 1)
export const bossSeveral = pgBoss('pg-boss, two consumers', 2)
