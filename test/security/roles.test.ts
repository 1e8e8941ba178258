import { randomBytes, randomUUID } from 'node:crypto'
import { type Kysely, sql } from 'kysely'
import {
  cancelJobs,
  countJobs,
  createWorker,
  deleteJobs,
  enqueue,
  type Job,
  jobHistory,
  listPauses,
  listRunners,
  pauseJobs,
  pruneJobs,
  rescheduleJobs,
  resumeJobs,
  retryJobs,
} from 'kysely-jobs'
import {
  createJobArchive,
  createJobHistory,
  createJobPauses,
  createJobRunners,
  createJobTable,
  dropJobArchive,
} from 'kysely-jobs/migrate'
import {
  fetchNextJobs,
  findExpired,
  heartbeat,
  inspectJobTable,
  type JobId,
  jobStates,
  nextDueAt,
  notifyWorkers,
  release,
  rescue,
  settle,
} from 'kysely-jobs/queue'
import { afterAll, beforeEach, expect, test } from 'vitest'
import { deleteRunner, writeRunner } from '../../src/records/runners.js'
import { noStats } from '../../src/records/stats.js'
import { deleteHistory, writeHistory } from '../../src/records/write-history.js'
import { optionalColumnNames } from '../../src/schema/columns.js'
import { jobsOf } from '../../src/schema/job-database.js'
import { read } from '../readme/blocks.js'
import { testDatabase } from '../support/database.js'
import { next, quiet } from '../worker/mail-jobs.js'
import { actingAs, createRole, dropRoles, handleAs, securityPage, sqlOf } from './roles.js'

const people = ['enqueuer', 'worker', 'caretaker', 'reader'] as const
type Person = (typeof people)[number]

const table = 'welcome_jobs'
const database = await testDatabase(async (handle) => {
  await createJobTable(handle, table, (it) => it.addColumn('user_id', 'text'), { columns: optionalColumnNames })
  await createJobPauses(handle)
  await createJobRunners(handle)
  await createJobHistory(handle)
})
const { db } = database

// The SQL of the page, with names that are this test's own: roles belong to the whole server.
const suffix = randomBytes(8).toString('hex')
const roleOf = (person: Person) => `welcome_${person}_${suffix}`
for (const block of ['roles', 'pauses', 'records'])
  await sql.raw(sqlOf(block).replaceAll(/welcome_(enqueuer|worker|caretaker|reader)/g, `$&_${suffix}`)).execute(db)
afterAll(() => dropRoles(db, people.map(roleOf)))

const handles = Object.fromEntries(people.map((person) => [person, handleAs(database, roleOf(person))])) as Record<
  Person,
  Kysely<any>
>

beforeEach(() => db.deleteFrom(table).execute())

const holder = randomUUID()
const columns = ['priority', 'max_attempts', 'result', 'started_at', 'finished_at', 'errors'] as const

const runner = { id: randomUUID(), host: 'a', pid: 1, version: '1', nodeVersion: '1', uptime: 0, workers: [] }

const history = { schema: 'public', name: 'job_history' }

/** A job that `holder` runs. */
async function running(): Promise<JobId> {
  const { id } = await enqueue(db, table, { user_id: 'ann' })
  await fetchNextJobs(db, table, { worker: holder, limit: 1 })
  return id
}

async function aged(status: string): Promise<JobId> {
  const id = await running()
  const old = sql`now() - interval '1 hour'`
  await db.updateTable(table).set({ status, updated_at: old, locked_at: old }).execute()
  return id
}

/** Each thing that the page speaks of, as it shows that it was done. */
const deeds: Record<string, ((as: Kysely<any>) => Promise<unknown>)[]> = {
  '`enqueue`': [
    (as) => enqueue(as, table, { user_id: 'ann', priority: 2, max_attempts: 3 }),
    (as) => enqueue(as, table, [{ user_id: 'ann' }, { id: randomUUID() }], { delay: '1h' }),
  ],
  'an insert that sets `status` or `locked_by`': [
    { status: 'job_status_succeeded' },
    { locked_by: holder },
    { attempts_count: 7 },
    { locked_at: new Date() },
    { last_error: 'never ran' },
    { result: '{}' },
  ].map((values) => (as) => as.insertInto(table).values(values).execute()),
  '`createWorker`, `fetchNextJobs`': [
    async (as) => {
      await enqueue(db, table, { user_id: 'ann' })
      const [job] = await fetchNextJobs(as, table, { worker: holder, limit: 1, columns })
      expect(job).toMatchObject({ user_id: 'ann' })
    },
    async (as) => {
      await enqueue(db, table, { user_id: 'ann' })
      expect(await fetchNextJobs(as, table, { worker: holder, limit: 1 })).toHaveLength(1)
    },
    async (as) => {
      await enqueue(db, table, { user_id: 'ann' })
      await using worker = createWorker(as, table, () => ({ done: true }), { logger: quiet })
      const succeeded = next(worker, 'succeeded')
      const refused = next<{ error: unknown }>(
        worker,
        'error',
        ({ error }) => Reflect.get(error as Error, 'code') === '42501',
      )
      await worker.start()
      await Promise.race([succeeded, refused.then(({ error }) => Promise.reject(error))])
    },
  ],
  '`rescue`': [
    async (as) => {
      await aged('job_status_running')
      expect(await rescue(as, table, { lease: '1s', maxAttempts: 5, columns })).toHaveLength(1)
    },
    async (as) => {
      await aged('job_status_running')
      expect(await rescue(as, table, { lease: '1s', maxAttempts: 5 })).toHaveLength(1)
    },
  ],
  '`heartbeat`, `settle`, `release`': [
    async (as) =>
      expect(await heartbeat(as, table, [{ id: await running(), attempt: 1 }], { worker: holder })).toHaveLength(1),
    async (as) =>
      expect(await release(as, table, [{ id: await running(), attempt: 1 }], { worker: holder })).toHaveLength(1),
    ...(
      [
        { kind: 'succeeded' },
        { kind: 'retry', error: 'busy' },
        { kind: 'failed', error: 'no' },
        { kind: 'timed_out', error: 'late' },
        { kind: 'snoozed', delay: 5 },
        { kind: 'cancelled', reason: 'asked for' },
      ] as const
    ).map((ending) => async (as: Kysely<any>) => {
      const outcome = { ...ending, id: await running(), attempt: 1 }
      expect(await settle(as, table, [outcome], { worker: holder })).toHaveLength(1)
    }),
  ],
  '`retryJobs`, `cancelJobs`, `rescheduleJobs`': [
    async (as) => expect(await retryJobs(as, table, { ids: [await aged('job_status_failed')] })).toHaveLength(1),
    async (as) => expect(await cancelJobs(as, table, { ids: [await running()] })).toHaveLength(1),
    async (as) => {
      await running()
      expect(await cancelJobs(as, table, { where: (job) => job('attempts_count', '=', 1) })).toHaveLength(1)
    },
    async (as) => {
      const { id } = await enqueue(db, table, { user_id: 'ann' })
      expect(await rescheduleJobs(as, table, { ids: [id] }, { delay: '1h' })).toHaveLength(1)
      expect(await rescheduleJobs(as, table, { where: (job) => job('id', '=', id) }, { to: 'now' })).toHaveLength(1)
    },
  ],
  '`pruneJobs`, `deleteJobs`': [
    async (as) => expect(await deleteJobs(as, table, { ids: [await aged('job_status_failed')] })).toHaveLength(1),
    async (as) => {
      const id = await aged('job_status_failed')
      expect(await deleteJobs(as, table, { where: (job) => job('id', '=', id) })).toHaveLength(1)
    },
    async (as) => {
      await aged('job_status_failed')
      expect(await pruneJobs(as, table, { olderThan: '1m' })).toBe(1)
    },
  ],
  '`countJobs`, `nextDueAt`, `jobStates`': [
    async (as) => {
      const id = await running()
      expect((await countJobs(as, table)).statuses.job_status_running).toBe(1)
      expect((await countJobs(as, table, { exact: true })).statuses.job_status_running).toBe(1)
      expect(await jobStates(as, table, [id])).toMatchObject([{ worker: holder, attempt: 1 }])
      expect(await nextDueAt(as, table, { columns: ['priority'] })).toBeUndefined()
    },
  ],
  '`findExpired`, a select of the payload': [
    async (as) => {
      await aged('job_status_running')
      expect(await findExpired(as, table, { lease: '1s' })).toHaveLength(1)
    },
    (as) => as.selectFrom(table).select('user_id').execute(),
  ],
  'an update of the payload': [(as) => as.updateTable(table).set({ user_id: 'eve' }).execute()],
  '`notifyWorkers`': [(as) => notifyWorkers(as, table)],
  '`pauseJobs`, `resumeJobs`': [
    async (as) => {
      await pauseJobs(as, table, { where: { user_id: 'ann' } })
      expect(await resumeJobs(as, table, { where: { user_id: 'ann' } })).toBe(true)
    },
    (as) => resumeJobs(as, table),
  ],
  'what runners write to `job_runners` and `job_history`': [
    (as) => writeRunner(jobsOf(as, '').db, { schema: 'public', name: 'job_runners' }, runner),
    (as) => deleteRunner(jobsOf(as, '').db, { schema: 'public', name: 'job_runners' }, runner.id),
    (as) => writeHistory(jobsOf(as, '').db, history, [{ of: { schema: 'public', name: table }, stats: noStats }]),
    (as) => deleteHistory(jobsOf(as, '').db, history, { minute: 1, hour: 1 }),
  ],
  '`listRunners`, `jobHistory`': [(as) => listRunners(as), (as) => jobHistory(as, table)],
  '`listPauses`': [(as) => listPauses(as, table)],
}

const rows = new Map(
  [...read(securityPage).matchAll(/^\| (.+?) \|((?: (?:yes|no) \|){4})$/gm)].map(([, deed = '', cells = '']) => [
    deed,
    cells.match(/yes|no/g)?.join(' '),
  ]),
)

test('the page speaks of every verb that is tested here, and of no other', () => {
  expect([...rows.keys()].sort()).toEqual(Object.keys(deeds).sort())
})

/** Whether all of it can be done by somebody, or none; what is refused must be refused for want of the privilege. */
async function can(person: Person, what: ((as: Kysely<any>) => Promise<unknown>)[]): Promise<string> {
  const verdicts: string[] = []
  for (const deed of what) {
    await db.deleteFrom(table).execute()
    const refused = deed(handles[person]).then(
      () => 'yes',
      (error: unknown) => {
        const code = error instanceof Error ? Reflect.get(error, 'code') : undefined
        if (code === '42501' || code === 'SIDE_TABLE_UNFIT') return 'no'
        throw error
      },
    )
    verdicts.push(await refused)
  }
  return [...new Set(verdicts)].join(' and ')
}

test.each(Object.entries(deeds))('%s: who can, and who is refused, as the page says', async (name, what) => {
  const verdicts: string[] = []
  for (const person of people) verdicts.push(await can(person, what))
  expect(verdicts.join(' ')).toBe(rows.get(name))
})

test('a worker does all its work as its role, and hears what an enqueuer adds', async () => {
  const asWorker = handles.worker
  const dead = await aged('job_status_running')
  const seen: unknown[] = []
  await using worker = createWorker(
    asWorker,
    table,
    async (job, { complete }) => {
      seen.push(job.user_id)
      if (job.user_id === 'completed') await asWorker.transaction().execute((trx) => complete(trx, { by: 'trx' }))
      if (job.user_id === 'broken') throw new Error('no')
      return { done: true }
    },
    { logger: quiet, listen: actingAs(database, roleOf('worker')), pollInterval: '1h', lease: '60s', maxAttempts: 1 },
  )
  const errors: unknown[] = []
  worker.on('error', (told) => errors.push(told))
  const listening = next<{ state: string }>(worker, 'listener', ({ state }) => state === 'listening')
  const failed = next(worker, 'rescued')
  await worker.start()
  await listening
  await failed
  const idle = ['succeeded', 'succeeded', 'failed'].map((event) => next(worker, event))
  const made = await enqueue(handles.enqueuer, table, [
    { user_id: 'plain' },
    { user_id: 'completed' },
    { user_id: 'broken' },
  ])
  await Promise.all(idle)
  await expect.poll(() => worker.health().leaseMargin).toBeUndefined()
  const states = await jobStates(db, table, [dead, ...made.map(({ id }) => id)])
  expect(states.map(({ status }) => status).sort()).toEqual([
    'job_status_failed',
    'job_status_failed',
    'job_status_succeeded',
    'job_status_succeeded',
  ])
  expect(seen.sort()).toEqual(['broken', 'completed', 'plain'])
  expect(errors).toEqual([])
})

test('a worker that holds its jobs by transactions needs no other rights', async () => {
  const seen = new Set<unknown>()
  const handler = async ({ id, user_id }: Job<any, string>) => {
    if (user_id === 'ann') seen.add((await jobStates(db, table, [id]))[0]?.status)
  }
  await using worker = createWorker(handles.worker, table, handler, {
    logger: quiet,
    hold: 'transaction',
    holdFor: '9s',
  })
  const errors: unknown[] = []
  worker.on('error', (told) => errors.push(told))
  const enqueueMany = (user: string) =>
    sql`insert into ${sql.table(table)} (user_id) select ${user} from generate_series(1, 1500)`.execute(db)
  const all = (user: string) => {
    let left = 1_500
    return next<{ job: { user_id: string } }>(worker, 'succeeded', ({ job }) => job.user_id === user && --left === 0)
  }
  const [byLeases, held] = [all('bob'), all('ann')]
  await enqueueMany('bob')
  await worker.start()
  await byLeases
  await enqueueMany('ann')
  await held
  expect([...seen]).toContain('job_status_not_started')
  expect(errors).toEqual([])
})

test('a worker that is to delete what succeeded refuses to start by a role that may not, and works once it may', async () => {
  const role = await createRole(database, `in role ${roleOf('worker')}`)
  const worker = createWorker(handleAs(database, role), table, () => {}, { logger: quiet, succeeded: 'delete' })
  await expect(worker.start()).rejects.toThrow(
    "succeeded: 'delete': this role may not delete from welcome_jobs; grant it DELETE",
  )
  await sql`grant delete on ${sql.table(table)} to ${sql.id(role)}`.execute(db)
  await enqueue(db, table, { user_id: 'ann' })
  const idle = next(worker, 'idle')
  await worker.start()
  await idle
  await worker.stop()
  expect(await db.selectFrom(table).selectAll().execute()).toEqual([])
})

test('a worker that is to archive refuses to start by a role that may not, and works, and keeps the archive, with what the page grants', async () => {
  await createJobArchive(db, table)
  const role = await createRole(database, `in role ${roleOf('worker')}`)
  await sql`grant delete on ${sql.table(table)} to ${sql.id(role)}`.execute(db)
  const asRole = handleAs(database, role)
  const made = () => createWorker(asRole, table, () => {}, { logger: quiet, succeeded: 'archive' })
  await expect(made().start()).rejects.toThrow(
    /"welcome_jobs_archive" may not be written by this role: grant it INSERT and SELECT/,
  )
  await sql`alter table welcome_jobs_archive enable row level security`.execute(db)
  await sql`grant insert, select on welcome_jobs_archive to ${sql.id(role)}`.execute(db)
  await expect(made().start()).rejects.toThrow(/with row-level security by policies too/)
  await sql`create policy all_of_them on welcome_jobs_archive using (true)`.execute(db)
  expect((await inspectJobTable(asRole, table)).advice).toEqual([
    expect.stringContaining('grant execute on function "public"."keep_job_archive_welcome_jobs"()'),
  ])
  await sql`grant execute on function keep_job_archive_welcome_jobs to ${sql.id(role)}`.execute(db)
  await enqueue(db, table, { user_id: 'ann' })
  const worker = made()
  const idle = next(worker, 'idle')
  await worker.start()
  await idle
  const errors: unknown[] = []
  worker.on('error', (told) => errors.push(told))
  await worker.keepArchive()
  await worker.stop()
  expect(errors).toEqual([])
  expect(await sql`select user_id, status from welcome_jobs_all`.execute(db)).toMatchObject({
    rows: [{ user_id: 'ann', status: 'job_status_succeeded' }],
  })
  await dropJobArchive(db, table)
})

test('an enqueuer that may not read inserts all the same, and enqueue, which gives rows back, is refused', async () => {
  const role = await createRole(database)
  await sql`grant insert (user_id) on ${sql.table(table)} to ${sql.id(role)}`.execute(db)
  const blind = handleAs(database, role)
  await blind.insertInto(table).values({ user_id: 'ann' }).execute()
  await expect(enqueue(blind, table, { user_id: 'ann' })).rejects.toMatchObject({ code: '42501' })
  expect(await db.selectFrom(table).select('user_id').execute()).toEqual([{ user_id: 'ann' }])
})

test('whoever inserts or retries needs no right on the trigger function', async () => {
  const { rows: functions } = await sql<{ name: string }>`
    select oid::regprocedure::text as name from pg_proc where proname = 'notify_job_queued_welcome_jobs'`.execute(db)
  expect(functions).toHaveLength(1)
  await sql.raw(`revoke execute on function ${functions[0]?.name} from public`).execute(db)
  const { id } = await enqueue(handles.enqueuer, table, { user_id: 'ann' })
  await cancelJobs(handles.caretaker, table, { ids: [id] })
  expect(await retryJobs(handles.caretaker, table, { ids: [id] })).toEqual([id])
})

test('false notifications cost a worker no more than a look', async () => {
  await using worker = createWorker(handles.worker, table, () => undefined, {
    ...{ logger: quiet, listen: database.url, pollInterval: '1h' },
  })
  const errors: unknown[] = []
  worker.on('error', (told) => errors.push(told))
  const listening = next<{ state: string }>(worker, 'listener', ({ state }) => state === 'listening')
  await worker.start()
  await listening
  for (const payload of ['check', 'nonsense', '-Infinity', 'Infinity', '1e999', '', "'; drop table welcome_jobs; --"])
    await sql`select pg_notify('job_available_welcome_jobs', ${payload})`.execute(handles.reader)
  const succeeded = next(worker, 'succeeded')
  await enqueue(db, table, { user_id: 'ann' })
  await succeeded
  expect(errors).toEqual([])
})

test('a worker whose role may not read what is paused says so and works on; granted that, it heeds it', async () => {
  const role = roleOf('worker')
  await sql.raw(`revoke select on job_pauses from ${role}`).execute(db)
  await using worker = createWorker(handles.worker, table, () => {}, { logger: quiet, listen: database.url })
  const errors: unknown[] = []
  worker.on('error', ({ error }) => errors.push(error))
  const [idle, listening] = [next(worker, 'idle'), next<{ state: string }>(worker, 'listener')]
  await pauseJobs(db, table)
  await enqueue(db, table, { user_id: 'ann' })
  await worker.start()
  await Promise.all([idle, listening])
  expect(await db.selectFrom(table).select('status').execute()).toEqual([{ status: 'job_status_succeeded' }])
  expect(errors).toMatchObject([{ code: 'SIDE_TABLE_UNFIT', message: expect.stringContaining('grant select on') }])
  await sql.raw(`grant select on job_pauses to ${role}`).execute(db)
  const paused = next(worker, 'paused')
  await pauseJobs(db, table, { reason: 'granted' })
  expect(await paused).toMatchObject({ by: 'table' }) // it may have read the pause of before
  await resumeJobs(db, table)
})
