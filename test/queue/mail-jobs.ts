import { type Kysely, sql } from 'kysely'
import { enqueue } from 'kysely-jobs'
import { createJobTable } from 'kysely-jobs/migrate'
import { fetchNextJobs, type Lease } from 'kysely-jobs/queue'

export const worker = '6f0f9c54-8f5e-4a51-9a3e-3a4f3c1f2a10'
export const other = '0b6f4c8e-3d2a-4b53-8f3c-2f8a1d9e7c11'

/** A job table with every optional column and a payload of one text; without triggers, so that nothing but the verbs writes. */
export function createMailJobs(db: Kysely<any>): Promise<void> {
  return createJobTable(db, 'mail_jobs', (table) => table.addColumn('to', 'text'), {
    columns: ['priority', 'max_attempts', 'result', 'started_at', 'finished_at', 'errors'],
    notify: 'none',
  })
}

/** Claims and gives the leases, with the name each job is for. */
export async function claim(db: Kysely<any>, limit: number, by = worker): Promise<(Lease & { to: string })[]> {
  const jobs = await fetchNextJobs(db, 'mail_jobs', { worker: by, limit })
  return jobs.map((job) => ({ id: job.id, attempt: job.attempts_count, to: job.to }))
}

/** Claimed jobs for people of these names, in their order. */
export async function claimed<Names extends readonly string[]>(
  db: Kysely<any>,
  ...people: Names
): Promise<{ [Place in keyof Names]: Lease }> {
  await enqueue(
    db,
    'mail_jobs',
    people.map((to) => ({ to })),
  )
  const leases = new Map((await claim(db, people.length)).map(({ to, ...lease }) => [to, lease]))
  return people.map((to) => leases.get(to)) as never
}

/** All jobs, as they are, by name. */
export function jobs(db: Kysely<any>, table = 'mail_jobs'): Promise<any[]> {
  return db.selectFrom(table).selectAll().orderBy('to').execute()
}

/** Makes the jobs' dates older: nobody has to wait. */
export async function age(db: Kysely<any>, time: string, table = 'mail_jobs'): Promise<void> {
  const passed = sql`${time}::interval`
  await db
    .updateTable(table)
    .set({
      run_at: sql`run_at - ${passed}`,
      updated_at: sql`updated_at - ${passed}`,
      locked_at: sql`case when locked_at > '1971-01-01' then locked_at - ${passed} else locked_at end`, // before, it is a count
    })
    .execute()
}

/** Does something in a transaction that comes to nothing. */
export async function rolledBack(db: Kysely<any>, work: (trx: Kysely<any>) => Promise<unknown>): Promise<void> {
  const undone = new Error('undone')
  const transaction = db.transaction().execute(async (trx) => {
    await work(trx)
    throw undone
  })
  await transaction.catch((error) => {
    if (error !== undone) throw error
  })
}
