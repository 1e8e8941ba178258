import { Logger, makeWorkerUtils, run } from 'graphile-worker'
import pg from 'pg'
import type { Payload, Peer } from './peer.ts'
import { boundedPool } from './pools.ts'

const task = 'job'
const quiet = new Logger(() => () => {})

export const graphile: Peer = {
  title: 'graphile-worker 0.18.0',
  settings:
    '`run()` with its own signal handling, `pollInterval: 500`, a connection for each job and two more, ' +
    '`gracefulShutdownAbortTimeout` is the grace; no `localQueue`, which locks jobs ahead. Its locks last 4 h by design ' +
    '(the documentation points to the crash recovery of Worker Pro, which is sold, for less): in R4 they are aged by ' +
    'hand and `maxResetLockedInterval` is 1 s. It has no timeout for a job. A task that throws is tried again after ' +
    'e^attempts seconds, which is fixed',
  async setUp(url) {
    const utils = await makeWorkerUtils({ connectionString: url, logger: quiet })
    await utils.migrate()
    await utils.release()
  },
  async enqueuer(url, { maxAttempts }) {
    const pool = new pg.Pool({ connectionString: url, max: 2 })
    pool.on('error', () => {}).on('connect', (client) => client.on('error', () => {}))
    const utils = await makeWorkerUtils({ pgPool: pool, logger: quiet })
    return {
      add: (payloads) => utils.addJobs(payloads.map((payload) => ({ identifier: task, payload, maxAttempts }))),
      close: async () => {
        await utils.release()
        await pool.end()
      },
    }
  },
  async work({ url, concurrency, grace, bounded }, handle, started) {
    const maxPoolSize = Math.max(10, concurrency + 2)
    const runner = await run({
      preset: {
        worker: {
          ...{ connectionString: url, concurrentJobs: concurrency, maxPoolSize, pollInterval: 500 },
          ...{ gracefulShutdownAbortTimeout: grace, minResetLockedInterval: 500, maxResetLockedInterval: 1_000 },
        },
      },
      ...(bounded && { pgPool: boundedPool(url, maxPoolSize) }),
      logger: quiet,
      taskList: {
        [task]: async (payload, { job, abortSignal }) => {
          if (abortSignal === undefined) throw new Error('no signal')
          await handle({ payload: payload as Payload, number: job.attempts, signal: abortSignal }) // as it was added
        },
      },
    })
    started()
    await runner.promise
  },
  states: `select payload->>'key' as key, last_error as said, case when locked_at is not null then 'held'
      when attempts >= max_attempts then 'failed' else 'waiting' end as state
    from graphile_worker._private_jobs`,
  deletesDone: true,
  age: `update graphile_worker._private_jobs set locked_at = now() - interval '5 hours' where locked_at is not null`,
}
