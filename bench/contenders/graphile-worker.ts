import { Logger, makeWorkerUtils, type RunnerOptions, run as runWorker } from 'graphile-worker'
import pg from 'pg'
import { apart, type Contender, type Payload } from './contender.ts'
import { run } from './statements.ts'

const task = 'job'

/** Without a line of log for each job, which it writes by default. */
const logger = new Logger(() => () => {})

const graphileWorker = (title: string, preset: (concurrency: number) => GraphileConfig.WorkerOptions): Contender => ({
  title,
  async migrate(url) {
    const utils = await makeWorkerUtils({ connectionString: url, logger })
    await utils.migrate()
    await utils.release()
    await run(url, `insert into graphile_worker._private_tasks (identifier) values ('${task}')`)
  },
  fill: (url, jobs) =>
    run(
      url,
      'truncate graphile_worker._private_jobs',
      `insert into graphile_worker._private_jobs (task_id, payload, run_at)
        select (select id from graphile_worker._private_tasks where identifier = '${task}'), json_build_object('n', n),
          now() - (${jobs} - n) * interval '${apart}'
        from generate_series(1, ${jobs}) n`,
    ),
  async work(url, { workers, concurrency }, handle) {
    const options: RunnerOptions = {
      preset: { worker: { connectionString: url, concurrentJobs: concurrency, ...preset(concurrency) } },
      logger,
      noHandleSignals: true,
      taskList: { [task]: (payload) => handle(payload as Payload) as Promise<void> | undefined }, // what the handlers give
    }
    const runners = await Promise.all(Array.from({ length: workers }, () => runWorker(options)))
    return () => Promise.all(runners.map((runner) => runner.stop()))
  },
  unfinished: 'select exists (select from graphile_worker._private_jobs) as unfinished',
  async enqueuer(url, connections) {
    const pool = new pg.Pool({ connectionString: url, max: connections })
    pool.on('error', console.error)
    pool.on('connect', (client) => client.on('error', console.error))
    const utils = await makeWorkerUtils({ pgPool: pool, logger })
    return {
      one: (payload) => utils.addJob(task, payload),
      many: (payloads) => utils.addJobs(payloads.map((payload) => ({ identifier: task, payload }))),
      close: async () => {
        await utils.release()
        await pool.end()
      },
    }
  },
})

export const graphileByDefault = graphileWorker('graphile-worker, defaults', () => ({}))

/** As its page on performance has it, but for the size of the queue: 500 there, and slower beside our fetches of 1,000. */
export const graphileFastest = graphileWorker('graphile-worker, fastest', (concurrency) => ({
  maxPoolSize: Math.max(10, Math.min(concurrency, 24) + 1),
  localQueue: { size: 1000 },
  completeJobBatchDelay: 0,
  failJobBatchDelay: 0,
}))
