import { PgBoss } from 'pg-boss'
import type { Payload, Peer } from './peer.ts'
import { queryTimeout } from './pools.ts'

const queue = 'jobs'

const start = async (url: string, options: object) => {
  const boss = new PgBoss({ connectionString: url, max: 10, useListenNotify: true, ...options })
  boss.on('error', () => {})
  return boss.start()
}
const aside = { supervise: false, schedule: false }

export const boss: Peer = {
  title: 'pg-boss 12.38.0',
  settings:
    'a worker for each job at once (`localConcurrency`, `batchSize: 1`), `useListenNotify` and `notify`, polling every ' +
    '0.5 s, `burstWhenReadyExceeds: 1`; `expireInSeconds` is the expiry (and its timeout for a job), ' +
    '`superviseIntervalSeconds`, `monitorIntervalSeconds` and `queueCacheIntervalSeconds` 1 s, the least; ' +
    '`retryDelay: 0`; no `heartbeatSeconds`, whose least is 10; `stop({ graceful: true, timeout })` at SIGTERM, the timeout ' +
    'is the grace; errors are listened to',
  async setUp(url, { maxAttempts, expiry, timeout }) {
    const made = await start(url, aside)
    const options = { retryLimit: maxAttempts - 1, retryDelay: 0, expireInSeconds: (timeout ?? expiry) / 1_000 }
    await made.createQueue(queue, { ...options, notify: true })
    await made.stop({ graceful: false })
  },
  async enqueuer(url) {
    const made = await start(url, aside)
    return {
      add: (payloads) =>
        made.insert(
          queue,
          payloads.map((data) => ({ data })),
        ),
      close: () => made.stop({ graceful: false }),
    }
  },
  async work({ url, concurrency, grace, bounded }, handle, started) {
    const made = await start(url, {
      ...{ superviseIntervalSeconds: 1, monitorIntervalSeconds: 1, queueCacheIntervalSeconds: 1 },
      ...(bounded && queryTimeout), // all it is given goes to its pool
    })
    const stopped = new Promise<void>((resolve, reject) => {
      process.once('SIGTERM', () => made.stop({ graceful: true, timeout: grace }).then(resolve, reject))
    })
    const polling = { pollingIntervalSeconds: 0.5, notifyPollingIntervalSeconds: 0.5, burstWhenReadyExceeds: 1 }
    await made.work<Payload>(queue, { localConcurrency: concurrency, batchSize: 1, ...polling }, async ([job]) => {
      if (job !== undefined) await handle({ payload: job.data, number: job.retryCount + 1, signal: job.signal })
    })
    started()
    await stopped
  },
  states: `select data->>'key' as key, coalesce(output->>'message', output->'value'->>'message', output::text) as said,
      case state::text when 'completed' then 'done'
      when 'active' then 'held' when 'created' then 'waiting' when 'retry' then 'waiting' else 'failed' end as state
    from pgboss.job where name = '${queue}'`,
  deletesDone: false,
}
