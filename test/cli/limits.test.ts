import { sql } from 'kysely'
import { createRunner, createWorker } from 'kysely-jobs'
import { beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import { testDatabase } from '../support/database.js'
import { quiet } from '../worker/mail-jobs.js'
import { shop } from './shop.js'
import { run, start } from './terminal.js'

const { db, url } = await testDatabase(shop)
const env = { DATABASE_URL: url }
const said = (...argv: string[]) => run(argv, env)
const json = async (...argv: string[]) => JSON.parse((await said(...argv, '--json')).stdout)

await sql`alter table mail_jobs alter "to" set not null, alter tenant_id set not null`.execute(db)
beforeEach(() => sql`truncate mail_jobs, job_limits restart identity`.execute(db))

test('limits set and unset: a table, and keys of it', async () => {
  expect(await start(['limits', 'set', 'mail_jobs', '--where', 'tenant_id=007', '--max', '2'], url).ended).toEqual({
    code: 0,
    stdout: 'tenant_id=007 of mail_jobs is limited to 2 jobs\n',
    stderr: '',
  })
  expect((await said('limits', 'set', '--table', 'mail_jobs', '--max', '1')).stdout).toBe(
    'mail_jobs is limited to 1 job\n',
  )
  expect((await said('limits', 'mail_jobs')).stdout).toMatch(
    /^TABLE .*\nmail_jobs +all jobs +0 +1 +limitJobs\nmail_jobs +tenant_id=7 +0 +2 +limitJobs\n$/,
  )
  expect(await json('limits', 'unset', 'mail_jobs')).toEqual({ table: 'mail_jobs', where: null, wasSet: true })
  expect(await said('limits', 'unset', 'mail_jobs')).toEqual({
    code: 1,
    stdout: '',
    stderr: 'kysely-jobs: No limit was set of mail_jobs\n',
  })
  expect((await said('limits', 'unset', 'mail_jobs', '--where', 'tenantId=7')).stdout).toBe(
    'tenant_id=7 of mail_jobs is limited as its workers say\n',
  )
  expect((await said('limits')).stdout).toBe('No limit is known.\n')
})

test('a limit that no worker heeds is set, and that is told', async () => {
  const worker = createWorker(db as any, 'mail_jobs', () => {}, {
    logger: quiet,
    limit: { by: ['tenant_id', 'to'], max: 3 },
  } as any)
  const runner = createRunner(db, { workers: [worker] })
  await runner.start()
  onTestFinished(async () => void (await runner.stop()))
  await vi.waitFor(async () => expect((await json('runners')).runners).toHaveLength(1))
  const argv = ['limits', 'set', 'mail_jobs', '--max', '2', '--where', 'tenant_id=7']
  expect(await said(...argv)).toEqual({
    code: 0,
    stdout: 'tenant_id=7 of mail_jobs is limited to 2 jobs\n',
    stderr:
      "kysely-jobs: No worker of it that runs now has a limit by tenant_id (createWorker's limit), so none heeds this\n",
  })
  expect(await said(...argv, '--where', 'to=ada')).toMatchObject({ code: 0, stderr: '' })
  expect(await said('limits', 'set', 'mail_jobs', '--max', '2', '--where', 'to=bob')).toMatchObject({
    stderr: expect.stringContaining('has a limit by to (createWorker'),
  })
  await sql`insert into mail_jobs (status, "to", tenant_id, locked_by, locked_at) select 'job_status_running', 'ada', 7, gen_random_uuid(), now() from generate_series(1, 2)`.execute(
    db,
  )
  const { limits } = await json('limits', 'mail_jobs')
  expect(limits.filter(({ where }: { where: { to?: string } }) => where.to === 'ada')).toEqual([
    { table: 'mail_jobs', where: { to: 'ada', tenant_id: '7' }, running: 2, max: 2, by: 'limitJobs' },
  ])
})

test.each([
  [['set', 'mail_jobs'], 'How many jobs may run? Give --max'],
  [['set', 'mail_jobs', '--max', 'x'], '--max x is invalid: give a whole number of jobs'],
  [['set', 'mail_jobs', '--max', '-1'], "Option '--max' argument is ambiguous"],
  [['unset', 'mail_jobs', '--max', '1'], 'limits unset takes no --max'],
  [['set', 'mail_jobs', '--table', 'other', '--max', '1'], 'Which table? Say limits set <table>'],
  [['mail_jobs', '--max', '1'], 'A limit is set by limits set'],
  [['sat', 'mail_jobs', '--max', '1'], 'There are limits set and limits unset'],
  [['set', 'mail_jobs', '--max', '1', '--where', 'status=x'], 'status'],
  [
    ['set', 'mail_jobs', '--max', '1', '--where', 'tenant_id=1', '--where', 'tenant_id=2'],
    'a key has one value of tenant_id',
  ],
])('limits %j is a mistake', async (argv, message) => {
  expect(await said('limits', ...argv)).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining(message) })
  expect((await said('limits')).stdout).toBe('No limit is known.\n')
})
