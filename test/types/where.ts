import type { Kysely } from 'kysely'
import { createBatchWorker, createWorker } from 'kysely-jobs'
import type { DB } from './database.js'

declare const db: Kysely<DB>

createWorker(db, 'mail_jobs', (job) => console.log(job.user_id), {
  concurrency: 4,
  where: (eb) => eb.and([eb('template', '=', 'welcome'), eb('job.user_id', 'in', ['ann', 'ben'])]),
})
createWorker(db, 'mail_jobs', ({ subject }) => console.log(subject), {
  select: ['subject'],
  where: (eb) =>
    eb.exists(
      eb.selectFrom('users').select('users.id').whereRef('users.id', '=', 'job.user_id').where('email', '!=', ''),
    ),
})
createBatchWorker(db, 'mail_jobs', () => {}, { size: 10, where: (eb) => eb('subject', 'is not', null) })

// @ts-expect-error Argument of type '"regoin"' is not assignable to parameter of type
createWorker(db, 'mail_jobs', () => {}, { where: (eb) => eb('regoin', '=', 'eu') })
// @ts-expect-error '"goodbye"' is not assignable to
createWorker(db, 'mail_jobs', () => {}, { where: (eb) => eb('template', '=', 'goodbye') })
// @ts-expect-error Argument of type '"users.email"' is not assignable to parameter of type
createWorker(db, 'mail_jobs', () => {}, { where: (eb) => eb('users.email', '=', 'a') })
// @ts-expect-error 'template' does not exist in type 'Condition<DB, "mail_jobs">'
createWorker(db, 'mail_jobs', () => {}, { where: { template: 'welcome' } })
// @ts-expect-error is not assignable to type
createWorker(db, 'mail_jobs', () => {}, { where: () => true })
