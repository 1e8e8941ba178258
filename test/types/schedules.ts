import type { Kysely } from 'kysely'
import {
  addSchedule,
  createRunner,
  type Job,
  listSchedules,
  pauseSchedule,
  type Schedule,
  type ScheduleState,
  schedule,
  triggerSchedule,
} from 'kysely-jobs'
import { type DB as Base, type Equal, holds, type Nine, type Timestamp } from './database.js'

interface DB extends Base {
  slot_jobs: Nine & { kind: string; scheduled_for: Timestamp }
  plain_jobs: Nine & { note: string | null }
}

declare const db: Kysely<DB>
declare const dayOf: (slot: Date) => string
const values = { user_id: 'ann', template: 'welcome' } as const

export const schedules: Schedule[] = [
  schedule(db, 'mail_jobs', { name: 'a', cron: '0 3 * * *', timeZone: 'Europe/Berlin', values, missed: 'all' }),
  schedule(db, 'mail_jobs', { name: 'b', every: '15m', values: (slot) => ({ ...values, user_id: dayOf(slot) }) }),
  // The column for the slot may be left out, though the table has no default for it.
  schedule(db, 'slot_jobs', { name: 'c', cron: '@daily', values: { kind: 'a' } }),
  schedule(db, 'slot_jobs', { name: 'd', cron: '@daily', values: (slot) => ({ kind: 'a', scheduled_for: slot }) }),
  // Where no column has to be given, values may be left out.
  schedule(db, 'plain_jobs', { name: 'e', cron: '@daily', skipIfUnfinished: true }),
]
createRunner(db, { workers: [], schedules, undeclared: 'keep' }).on('scheduled', ({ table, schedule, slots, jobs }) =>
  console.log(table, schedule, slots[0]?.getTime(), jobs.length),
)

export async function byHand() {
  await addSchedule(db, 'mail_jobs', { name: 'a', every: 60_000, values })
  await pauseSchedule(db, 'mail_jobs', 'a')
  const job = await triggerSchedule(db, 'mail_jobs', 'a')
  holds<Equal<typeof job, Job<DB, 'mail_jobs'> | undefined>>()
  const states = [...(await listSchedules(db)), ...(await listSchedules(db, 'mail_jobs'))]
  holds<Equal<typeof states, ScheduleState[]>>()
}

// @ts-expect-error Property 'template' is missing
schedule(db, 'mail_jobs', { name: 'a', cron: '@daily', values: { user_id: 'ann' } })
// @ts-expect-error Property 'values' is missing
schedule(db, 'mail_jobs', { name: 'a', cron: '@daily' })
// @ts-expect-error Type '"goodbye"' is not assignable to type
schedule(db, 'mail_jobs', { name: 'a', cron: '@daily', values: { user_id: 'ann', template: 'goodbye' } })
// @ts-expect-error is not assignable to type '"the queue alone writes this column"'
schedule(db, 'mail_jobs', { name: 'a', cron: '@daily', values: { ...values, attempts_count: 1 } })
// @ts-expect-error 'users' is not a job table: column 'updated_at' is missing
schedule(db, 'users', { name: 'a', cron: '@daily' })
// @ts-expect-error Property 'name' is missing
schedule(db, 'mail_jobs', { cron: '@daily', values })
// @ts-expect-error is not assignable to type
schedule(db, 'mail_jobs', { name: 'a', cron: '@daily', every: '1h', values })
// @ts-expect-error is not assignable to type
schedule(db, 'mail_jobs', { name: 'a', every: '1 fortnight', values })
// @ts-expect-error is not assignable to type
schedule(db, 'mail_jobs', { name: 'a', every: '1h', timeZone: 'UTC', values })
// @ts-expect-error Type '"some"' is not assignable to type
schedule(db, 'mail_jobs', { name: 'a', cron: '@daily', values, missed: 'some' })
// @ts-expect-error Type 'Promise<
schedule(db, 'mail_jobs', { name: 'a', cron: '@daily', values: async () => values })
// @ts-expect-error is not assignable to type
addSchedule(db, 'mail_jobs', { name: 'a', cron: '@daily', values: () => values })
// @ts-expect-error 'cron' does not exist in type 'Schedule'
createRunner(db, { workers: [], schedules: [{ name: 'a', cron: '@daily' }] })
