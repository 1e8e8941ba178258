import type { Kysely } from 'kysely'
import { createWorker, enqueue, type Job, type JobTableName } from 'kysely-jobs'
import { type Equal, holds, type Nine } from './database.js'

// A table whose row is a union of rows: what depends on what stays known.

type MailRow = Nine & { kind: 'mail'; payload: { to: string; subject: string } }
type TextRow = Nine & { kind: 'text'; payload: { phone: string }; country: string | null }
interface Unions {
  jobs: MailRow | TextRow
}
declare const db: Kysely<Unions>
holds<Equal<JobTableName<Unions>, 'jobs'>>()

createWorker(db, 'jobs', (job) => {
  if (job.kind === 'text') return console.log(job.payload.phone, job.country)
  // @ts-expect-error Property 'phone' does not exist on type '{ to: string; subject: string; }'.
  console.log(job.payload.phone)
  return console.log(job.payload.subject, job.run_at.getTime())
})
enqueue(db, 'jobs', { kind: 'text', payload: { phone: '1' } })
enqueue(db, 'jobs', [
  { kind: 'text', payload: { phone: '1' } },
  { kind: 'mail', payload: { to: 'a', subject: 'b' } },
])
// @ts-expect-error 'to' does not exist in type '{ phone: string; }'.
enqueue(db, 'jobs', { kind: 'text', payload: { to: 'a', subject: 'b' } })
// @ts-expect-error is not assignable to type '"the queue alone writes this column"'.
enqueue(db, 'jobs', { kind: 'text', payload: { phone: '1' }, locked_by: 'me' })
export async function one() {
  const job = await enqueue(db, 'jobs', { kind: 'mail', payload: { to: 'a', subject: 'b' } })
  holds<Equal<typeof job, Job<Unions, 'jobs'>>>()
}
