import { type Kysely, sql } from 'kysely'
import {
  addSchedule,
  createRunner,
  createWorker,
  enqueue,
  jobHistory,
  listPauses,
  listRunners,
  listSchedules,
  pauseJobs,
  pauseSchedule,
  removeSchedule,
  resumeJobs,
  resumeSchedule,
  schedule,
  triggerSchedule,
} from 'kysely-jobs'
import {
  createJobHistory,
  createJobPauses,
  createJobRunners,
  createJobSchedules,
  createJobTable,
  dropJobPauses,
} from 'kysely-jobs/migrate'
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { takeTurn, writeSample } from '../../src/records/samples.js'
import { noStats } from '../../src/records/stats.js'
import { deleteHistory, writeHistory } from '../../src/records/write-history.js'
import { jobsOf } from '../../src/schema/job-database.js'
import { next, quiet } from '../worker/mail-jobs.js'
import { spreadDatabase } from './spread.js'

// What is kept beside job tables, in a schema that is on a node of its own, where the server refuses what Citus refuses.

describe.each(['distributed', 'one node'] as const)('of a job table that is %s', async (place) => {
  const { db, plain, refused } = await spreadDatabase({}, place)
  const node = db.withSchema('node')
  for (const create of [createJobPauses, createJobSchedules, createJobRunners, createJobHistory]) await create(node)
  const of = { schema: place === 'one node' ? 'node' : 'public', name: 'mail_jobs' }
  const side = (name: string) => ({ schema: 'node', name })

  beforeEach(() => plain.deleteFrom('mail_jobs').execute())
  afterEach(() => expect(refused).toEqual([]))

  async function working() {
    const ran: string[] = []
    const errors: unknown[] = []
    const worker = createWorker(db, 'mail_jobs', async ({ note }) => void ran.push(note), {
      logger: quiet,
      pollInterval: '20ms',
    })
    worker.on('error', ({ error }) => errors.push(error))
    onTestFinished(() => worker.stop({ deadline: 0 }).then(() => {}))
    await worker.start()
    return { worker, ran, errors }
  }

  test('a key is paused, then the table, and each goes on when it is resumed', async () => {
    await pauseJobs(db, 'mail_jobs', { where: { tenant_id: 1 }, reason: 'the bill' })
    const { worker, ran, errors } = await working()
    const second = next(worker, 'succeeded')
    await enqueue(
      db,
      'mail_jobs',
      [1, 2].map((tenant_id) => ({ tenant_id, note: `of ${tenant_id}` })),
    )
    await second
    expect(ran).toEqual(['of 2'])
    await pauseJobs(db, 'mail_jobs', { until: '1h' })
    await pauseJobs(db, 'mail_jobs', { until: '2h' }) // once more
    expect(await listPauses(db, 'mail_jobs')).toMatchObject([
      { where: undefined },
      { where: { tenant_id: '1' }, reason: 'the bill' },
    ])
    const resumed = next<{ by: string }>(worker, 'resumed', ({ by }) => by === 'table')
    expect(await resumeJobs(db, 'mail_jobs')).toBe(true)
    await resumed
    const first = next(worker, 'succeeded')
    expect(await resumeJobs(db, 'mail_jobs', { where: { tenant_id: 1 } })).toBe(true)
    await first
    expect(ran).toEqual(['of 2', 'of 1'])
    expect(await resumeJobs(db, 'mail_jobs')).toBe(false)
    expect(errors).toEqual([])
  })

  test('a table of pauses that is made while a worker runs is found by its polls', async () => {
    await dropJobPauses(node)
    const { worker } = await working()
    await createJobPauses(node)
    const paused = next(worker, 'paused')
    await sql`insert into node.job_pauses values (${of.schema}, ${of.name}, '{}')`.execute(db)
    await paused
    await resumeJobs(db, 'mail_jobs')
  })

  test('schedules are declared, added, paused, triggered and removed, and make jobs of the tenant that they name', async () => {
    const errors: unknown[] = []
    const running = async () => {
      const worker = createWorker(db, 'mail_jobs', async () => {}, { logger: quiet, pollInterval: '1m' })
      const runner = createRunner(db, { workers: [worker], schedules: [nightly], logger: quiet })
      runner.on('error', ({ error }) => errors.push(error))
      const told = new Promise((resolve) => runner.on('scheduled', resolve))
      onTestFinished(() => runner.stop({ deadline: 0 }).then(() => {}))
      await runner.start()
      return { runner, told }
    }
    const nightly = schedule(db, 'mail_jobs', {
      ...{ name: 'nightly', cron: '0 3 * * *', skipIfUnfinished: true },
      values: (slot) => ({ tenant_id: 7, note: `night ${slot.getFullYear() > 2000}` }),
    })
    const { runner } = await running()
    await runner.stop()
    await addSchedule(db, 'mail_jobs', { name: 'hourly', every: '1h', values: { tenant_id: 8, note: 'hour' } })
    await addSchedule(db, 'mail_jobs', { name: 'hourly', every: '2h', values: { tenant_id: 8, note: 'hour' } })
    expect(await triggerSchedule(db, 'mail_jobs', 'hourly')).toMatchObject({ tenant_id: 8, note: 'hour' })
    expect(await triggerSchedule(db, 'mail_jobs', 'nightly')).toBeUndefined()
    await sql`update node.job_schedules set next_slot = now()`.execute(db)
    const { runner: another, told } = await running()
    await told
    await another.stop()
    await pauseSchedule(db, 'mail_jobs', 'hourly')
    const paused = (await listSchedules(db)).filter(({ pausedAt }) => pausedAt !== undefined)
    expect(paused.map(({ name }) => name)).toEqual(['hourly'])
    await resumeSchedule(db, 'mail_jobs', 'hourly')
    expect(await removeSchedule(db, 'mail_jobs', 'hourly')).toBe(true)
    expect((await listSchedules(db, 'mail_jobs')).map(({ name }) => name)).toEqual(['nightly'])
    const rows = await plain.selectFrom('mail_jobs').select(['tenant_id', 'note']).distinct().orderBy('note').execute()
    expect(rows).toEqual([
      { tenant_id: 8, note: 'hour' },
      { tenant_id: 7, note: 'night true' },
    ])
    expect(errors).toEqual([])
  })

  test('runners are listed, and what becomes of jobs is added up by minutes', async () => {
    const worker = createWorker(db, 'mail_jobs', async () => {}, { logger: quiet })
    const runner = createRunner(db, { workers: [worker], logger: quiet })
    await runner.start()
    await expect.poll(() => listRunners(db)).toHaveLength(1)
    await runner.stop()
    await sql`delete from node.job_history`.execute(db)
    const jobs = jobsOf(db, 'mail_jobs')
    const history = side('job_history')
    for (const counts of [[1], [1, 0, 2]]) {
      const stats = { ...noStats, succeeded: 3, wait: { counts, sum: 5 } }
      await writeHistory(jobs.db, history, [{ of, stats }])
    }
    expect(await takeTurn(jobs.db, history, [of])).toMatchObject({ won: [of] })
    expect(await takeTurn(jobs.db, history, [of])).toMatchObject({ won: [] })
    await writeSample(jobs.db, history, of, { due: 4, pending: 5, running: 6, oldestWait: 7 })
    await deleteHistory(jobs.db, history, { minute: 60_000, hour: 60_000 })
    const points = (await jobHistory(db, 'mail_jobs')).filter(({ recorded }) => recorded)
    expect(points).toMatchObject([{ succeeded: 6, due: 4, running: 6 }])
    const kept = await sql`select wait_counts from node.job_history where step = 'minute'`.execute(db)
    expect(kept.rows).toEqual([{ wait_counts: [2, 0, 2] }])
  })
})

test('workers of several tables of the server itself find what is paused elsewhere', async () => {
  const { db, refused } = await spreadDatabase()
  await createJobPauses(db.withSchema('node'))
  const tables = ['queued_jobs', 'mail_jobs_of_here'] as const
  for (const table of tables) await createJobTable(db, table, undefined, { notify: 'none' })
  const workers = tables.map((table) =>
    createWorker(db as Kysely<any>, table, async () => {}, { logger: quiet, pollInterval: '20ms' }),
  )
  const errors: unknown[] = []
  for (const worker of workers) {
    worker.on('error', ({ error }) => errors.push(error))
    onTestFinished(() => worker.stop({ deadline: 0 }).then(() => {}))
    await worker.start()
  }
  const paused = workers.map((worker) => next(worker, 'paused'))
  for (const table of tables) await pauseJobs(db as Kysely<any>, table)
  await Promise.all(paused)
  expect(errors).toEqual([])
  expect(refused).toEqual([])
})
