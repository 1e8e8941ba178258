import { sql } from 'kysely'
import { addSchedule } from 'kysely-jobs'
import { createJobTable } from 'kysely-jobs/migrate'
import { beforeEach, expect, test } from 'vitest'
import { createTestDatabase, testDatabase } from '../support/database.js'
import { shop } from './shop.js'
import { run, start } from './terminal.js'

const { db, url } = await testDatabase(shop)
const env = { DATABASE_URL: url }
const said = (...argv: string[]) => run(argv, env)
const json = async (...argv: string[]) => JSON.parse((await said(...argv, '--json')).stdout)

beforeEach(() => sql`truncate mail_jobs, job_pauses, job_schedules restart identity`.execute(db))

const jobs = () => db.selectFrom('mail_jobs').select(['to', 'tenant_id', 'payload']).orderBy('id').execute()

test('pause and resume: a table, and keys of it', async () => {
  const reason = ['--reason', 'the provider is down']
  expect(await start(['pause', 'mail_jobs', ...reason], url).ended).toEqual({
    code: 0,
    stdout: 'mail_jobs is paused\n',
    stderr: '',
  })
  expect((await said('pause', 'mail_jobs', '--where', 'tenant_id=007', '--until', '2h')).stdout).toBe(
    'tenant_id=007 of mail_jobs is paused\n',
  )
  expect((await json('pauses')).pauses).toMatchObject([
    { table: 'mail_jobs', where: null, reason: 'the provider is down', until: null },
    { table: 'mail_jobs', where: { tenant_id: '7' }, reason: null, until: expect.stringMatching(/^20/) },
  ])
  expect(await start(['resume', 'mail_jobs'], url).ended).toEqual({
    code: 0,
    stdout: 'mail_jobs is resumed\n',
    stderr: '',
  })
  expect(await said('resume', 'mail_jobs')).toEqual({
    code: 1,
    stdout: '',
    stderr: 'kysely-jobs: mail_jobs was not paused\n',
  })
  expect(await json('resume', 'mail_jobs', '--where', 'tenant_id=7')).toEqual({
    table: 'mail_jobs',
    where: { tenant_id: '7' },
    wasPaused: true,
  })
  expect((await said('pauses')).stdout).toBe('Nothing is paused.\n')
  expect((await said('pause', 'Odd "jobs"')).stdout).toBe('My shop.Odd "jobs" is paused\n')
})

test.each([
  [['--where', 'tenant_id=1', '--where', 'tenant_id=2'], 'a key has one value of tenant_id: give them one by one'],
  [['--where', 'tenant_id>7'], 'a key is of columns and their values: write column=value'],
  [['--where', 'status=job_status_failed'], "'status' is the queue's"],
  [['--until', 'soon'], '--until "soon" is no time'],
  [['--until', 'infinity'], 'without an end it is until resume: leave it out'],
])('pause %j is a mistake', async (argv, message) => {
  expect(await said('pause', 'mail_jobs', ...argv)).toMatchObject({
    code: 2,
    stdout: '',
    stderr: expect.stringContaining(message),
  })
})

test('where the table of pauses, of schedules or of runners is not there, the migration is named that makes it', async () => {
  await using database = await createTestDatabase()
  await createJobTable(database.db, 'jobs')
  const env = { DATABASE_URL: database.url }
  for (const [argv, made] of [
    [['pause'], 'createJobPauses'],
    [['schedules'], 'createJobSchedules'],
    [['runners'], 'createJobRunners'],
  ] as const) {
    const { code, stderr } = await run(argv, env)
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining(`let a migration call ${made}(db)`) })
  }
  expect(await run(['pauses'], env)).toMatchObject({
    code: 0,
    stdout: 'Nothing is paused, nor can be: createJobPauses(db) of kysely-jobs/migrate makes the table for it.\n',
  })
  expect(await run(['limits'], env)).toMatchObject({ code: 0, stdout: 'No limit is known.\n' })
})

test('schedules lists them; one is paused, resumed, run and removed by its table and name', async () => {
  await addSchedule(db as any, 'mail_jobs', { name: 'nightly', cron: '0 3 * * *', values: { to: 'ada' } } as any)
  expect((await start(['schedules'], url).ended).stdout).toMatch(
    /^TABLE .*\nmail_jobs +nightly +0 3 \* \* \* UTC +- +in .* hand\n$/,
  )
  expect(await start(['schedules', 'run', 'mail_jobs', 'nightly'], url).ended).toMatchObject({
    code: 0,
    stdout: 'nightly of mail_jobs made the job 1\n',
  })
  expect(await jobs()).toMatchObject([{ to: 'ada' }])
  expect((await said('schedules', 'pause', 'mail_jobs', 'nightly')).stdout).toBe('nightly of mail_jobs is paused\n')
  expect((await said('schedules')).stdout).toMatch(/ paused +1 +hand\n$/)
  expect(await json('schedules', 'resume', 'mail_jobs', 'nightly')).toEqual({
    table: 'mail_jobs',
    name: 'nightly',
    verb: 'resume',
  })
  expect((await json('schedules')).schedules).toMatchObject([{ table: 'mail_jobs', name: 'nightly', lastJob: '1' }])
  expect((await said('schedules', 'remove', 'nightly')).stdout).toMatch(/^nightly of mail_jobs is removed/)
  expect((await said('schedules')).stdout).toBe('There are no schedules.\n')
})

test.each([
  [['remove', 'mail_jobs', 'none'], 1, 'There is no schedule "none" of mail_jobs'],
  [['run', 'mail_jobs', 'none'], 1, 'There is no schedule "none" of mail_jobs: it has none'],
  [['run'], 2, 'Which one? Say schedules run <name>'],
  [['run', 'nightli'], 2, 'There is no schedule "nightli"; there are none'],
  [['stop', 'mail_jobs', 'nightly'], 2, 'There are schedules pause, resume, run and remove'],
  [['run', 'mails', 'nightly'], 2, 'There is no job table mails'],
])('schedules %j', async (argv, code, message) => {
  expect(await said('schedules', ...argv)).toMatchObject({ code, stdout: '', stderr: expect.stringContaining(message) })
})
