import { type InsertObject, type RawBuilder, sql } from 'kysely'
import { createWorker, type Handler, type WorkerOptions } from 'kysely-jobs'
import pg from 'pg'
import { beforeEach, onTestFinished } from 'vitest'
import { testDatabase } from '../support/database.js'
import { createIhpTable, type IhpDatabase } from '../support/ihp-table.js'
import { next, quiet } from '../worker/mail-jobs.js'

export { next, quiet }

export const worker = 'faa5ba30-1d76-4adf-bf01-2d1f95cddc04'
export const otherWorker = '0b6ee2f9-6a2b-4f6c-9d0f-2d1f95cddc05'

type NewRow = InsertObject<IhpDatabase, 'send_mail_jobs'>

/** A time by the database's clock: `at('-1 hour')`. */
export const at = (offset: string): RawBuilder<Date> => sql<Date>`now() + ${offset}::interval`

/** A database with IHP's table in it, empty before each test, and what the tests of this folder do with it. */
export async function sendMail() {
  const { db, url, pool } = await testDatabase<IhpDatabase>(createIhpTable)
  beforeEach(() => db.deleteFrom('send_mail_jobs').execute())

  /** A row as any program may leave it. */
  const add = (values: Partial<NewRow> = {}) =>
    db
      .insertInto('send_mail_jobs')
      .values({ recipient: 'ada', ...values })
      .returningAll()
      .executeTakeFirstOrThrow()

  /** A row whose worker was killed while it ran. */
  const abandoned = (values: Partial<NewRow> = {}) =>
    add({
      status: 'job_status_running',
      locked_by: otherWorker,
      locked_at: at('-1 hour'),
      attempts_count: 1,
      ...values,
    })

  const row = (id: string) => db.selectFrom('send_mail_jobs').selectAll().where('id', '=', id).executeTakeFirstOrThrow()

  /** A worker of ours, stopped after the test. */
  function work(handler: Handler<IhpDatabase, 'send_mail_jobs'>, options: WorkerOptions = {}) {
    const made = createWorker(db, 'send_mail_jobs', handler, { logger: quiet, pollInterval: '20ms', ...options })
    onTestFinished(() => made.stop({ deadline: 0 }).then(() => {}))
    return made
  }

  return { db, url, pool, add, abandoned, row, work }
}

/** Listens on a channel as any client can. */
export async function listenTo(url: string, channel: string) {
  const client = new pg.Client({ connectionString: url })
  client.on('error', () => {})
  await client.connect()
  onTestFinished(() => client.end())
  const heard: string[] = []
  client.on('notification', ({ payload }) => heard.push(payload ?? ''))
  await client.query(`listen ${pg.escapeIdentifier(channel)}`)
  /** What was heard since the last call; notifications come in the order of their commits. */
  return async () => {
    await client.query('select pg_notify($1, $2)', [channel, 'end'])
    while (!heard.includes('end')) await client.query('select 1')
    return heard.splice(0).filter((payload) => payload !== 'end')
  }
}
