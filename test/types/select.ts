import type { ColumnType, Generated, Kysely } from 'kysely'
import {
  createRunner,
  createWorker,
  type Handler,
  type Job,
  type JobTable,
  type SelectedJob,
  type Selection,
  snooze,
  type Worker,
  type WorkerOptions,
} from 'kysely-jobs'
import { type DB, type Equal, holds, type Nine, type Status, type Timestamp } from './database.js'

declare const db: Kysely<DB>

// With `select` a job has the columns that it names, its id and its number of attempts: nothing to write but their names.

interface Mail {
  readonly id: string
  readonly attempts_count: number
  readonly user_id: string
  readonly template: 'welcome' | 'reminder'
}
const worker = createWorker(
  db,
  'mail_jobs',
  async (job, { complete }) => {
    holds<Equal<typeof job, Mail>>()
    // @ts-expect-error Property 'subject' does not exist on type
    job.subject
    // @ts-expect-error Cannot assign to 'user_id' because it is a read-only property.
    job.user_id = 'bob'
    await db.transaction().execute((trx) => complete(trx))
  },
  { select: ['user_id', 'template'], concurrency: 4 },
)
holds<Equal<typeof worker, Worker<DB, 'mail_jobs', SelectedJob<DB, 'mail_jobs', ['user_id', 'template']>>>>()
createRunner(db, { workers: [worker] }).on('failed', ({ table, error }) => console.error(table, error))

// Whatever else is given a job is given the same.

worker.on('claimed', ({ jobs }) => holds<Equal<typeof jobs, readonly Mail[]>>())
worker.once('succeeded', ({ job }) => holds<Equal<typeof job, Mail>>())
worker.on('failed', ({ job }) => {
  // @ts-expect-error Property 'run_at' does not exist on type
  job.run_at
})
createWorker(db, 'report_jobs', ({ kind }) => (kind === 'daily' ? snooze('1h') : { pages: 3 }), {
  select: ['kind'],
  maxAttempts: (job) => {
    holds<Equal<typeof job, SelectedJob<DB, 'report_jobs', ['kind']>>>()
    return job.kind === 'daily' ? 2 : 10
  },
  backoff: (attempt, _error, job) => (job.kind === 'daily' ? '1m' : attempt * 60_000),
  describeError: (error, job) => `${job?.kind}: ${error}`,
})
createWorker(db, 'report_jobs', () => {}, {
  select: ['kind'],
  // @ts-expect-error Property 'source' does not exist on type
  maxAttempts: (job) => (job.source.from === 'file' ? 2 : 10),
})
// @ts-expect-error Type 'string' is not assignable to type 'number'.
createWorker(db, 'report_jobs', async () => ({ pages: 'three' }), { select: ['kind'] })

// Its id and its attempts alone; columns of the queue; one that is named twice; a payload that narrows.

createWorker(db, 'mail_jobs', (job) => holds<Equal<typeof job, Pick<Mail, 'id' | 'attempts_count'>>>(), { select: [] })
createWorker(db, 'mail_jobs', ({ run_at }) => holds<Equal<typeof run_at, Date>>(), {
  select: ['run_at', 'run_at', 'id'],
})
createWorker(db, 'report_jobs', ({ source, result }) => (source.from === 'file' ? { pages: source.bytes } : result), {
  select: ['source', 'result'],
})

// Without it, and where it is undefined, all is as ever.

createWorker(db, 'mail_jobs', (job) => holds<Equal<typeof job, Job<DB, 'mail_jobs'>>>(), { concurrency: 4 })
createWorker(db, 'mail_jobs', (job) => holds<Equal<typeof job, Job<DB, 'mail_jobs'>>>(), { select: undefined })

// What is no column does not compile, and the compiler names it.

// @ts-expect-error Type '"templat"' is not assignable to type
createWorker(db, 'mail_jobs', () => {}, { select: ['user_id', 'templat'] })
// @ts-expect-error Type '"kind"' is not assignable to type
createWorker(db, 'mail_jobs', () => {}, { select: ['kind'] })
// @ts-expect-error Type 'string' is not assignable to type
createWorker(db, 'mail_jobs', () => {}, { select: 'user_id' })
// @ts-expect-error Type 'number' is not assignable to type
createWorker(db, 'mail_jobs', () => {}, { select: [3] })
declare const strings: string[]
// @ts-expect-error Type 'string' is not assignable to type
createWorker(db, 'mail_jobs', () => {}, { select: strings })
// @ts-expect-error "'users' is not a job table: column 'updated_at' is missing
createWorker(db, 'users', () => {}, { select: ['email'] })

// A worker whose listeners see few columns is none of whose listeners see all; the other way round it is.

// @ts-expect-error is not assignable to type 'Worker<DB, "mail_jobs",
const all: Worker<DB, 'mail_jobs'> = worker
const few: typeof worker = createWorker(db, 'mail_jobs', () => {})

export { all, few }

// A list may stand elsewhere. Of one that is known only when it runs, each column may be there or not.

const columns = ['user_id', 'subject'] as const
createWorker(db, 'mail_jobs', ({ subject }) => holds<Equal<typeof subject, string | null>>(), { select: columns })
declare const some: ('user_id' | 'template')[]
createWorker(
  db,
  'mail_jobs',
  (job) => {
    holds<Equal<typeof job.attempts_count, number>>()
    // @ts-expect-error is possibly 'undefined'.
    job.template.length
    // @ts-expect-error Property 'subject' does not exist on type
    job.subject
  },
  { select: some },
)
declare const first: ['user_id', 'template'?]
// @ts-expect-error Type 'undefined' is not assignable to type
createWorker(db, 'mail_jobs', () => {}, { select: first })
createWorker(db, 'mail_jobs', (job) => ('template' in job ? job.template.length : job.user_id.length), {
  select: some.length > 1 ? ['template'] : ['user_id'],
})

// A handler may stand elsewhere too. It may need less than is selected, not more.

const sendMail = async ({ user_id }: SelectedJob<DB, 'mail_jobs', ['user_id']>) => user_id.length
createWorker(db, 'mail_jobs', sendMail, { select: ['user_id'] })
createWorker(db, 'mail_jobs', sendMail, { select: ['template', 'user_id'] })
createWorker(db, 'mail_jobs', sendMail)
const sendReport: Handler<DB, 'report_jobs', { readonly kind: string }> = ({ kind }) => ({ pages: kind.length })
createWorker(db, 'report_jobs', sendReport, { select: ['kind'] })
// @ts-expect-error Property 'user_id' is missing in type
createWorker(db, 'mail_jobs', sendMail, { select: ['template'] })
declare const whole: Handler<DB, 'mail_jobs'>
// @ts-expect-error is not assignable to parameter of type
createWorker(db, 'mail_jobs', whole, { select: ['template'] })
const options: WorkerOptions<Job<DB, 'mail_jobs'>> = { maxAttempts: (job) => job.template.length }
createWorker(db, 'mail_jobs', whole, options)

/** A handle that knows no tables knows no columns. */
declare const anything: Kysely<any>
createWorker(anything, 'jobs', ({ id, user_id }) => console.log(id, user_id), { select: ['user_id'] })

/** Code that is generic over the database hands the list on. */
function loudWorker<Tables, Table extends keyof Tables & string, const Columns extends Selection<Tables, Table>>(
  handle: Kysely<Tables>,
  table: JobTable<Tables, Table>,
  select: Columns,
  handler: Handler<Tables, Table, SelectedJob<Tables, Table, Columns>>,
): Worker<Tables, Table, SelectedJob<Tables, Table, Columns>> {
  return createWorker(handle, table, handler, { select })
}
const loud = loudWorker(db, 'mail_jobs', ['user_id', 'template'], (job) => holds<Equal<typeof job, Mail>>())
holds<Equal<typeof loud, typeof worker>>()
// @ts-expect-error Type '"templat"' is not assignable to type
loudWorker(db, 'mail_jobs', ['templat'], () => {})

// With CamelCasePlugin the names are those of the interface.

interface ImageJobs {
  id: Generated<number>
  createdAt: Timestamp
  updatedAt: Timestamp
  status: Generated<Status>
  lastError: string | null
  attemptsCount: Generated<number>
  lockedAt: Timestamp | null
  lockedBy: string | null
  runAt: Timestamp
  filePath: string
  secret: ColumnType<never, string, string>
}
declare const images: Kysely<{ imageJobs: ImageJobs }>
createWorker(
  images,
  'imageJobs',
  (job) =>
    holds<Equal<typeof job, { readonly id: number; readonly attemptsCount: number; readonly filePath: string }>>(),
  { select: ['filePath'] },
)
// @ts-expect-error Type '"file_path"' is not assignable to type
createWorker(images, 'imageJobs', () => {}, { select: ['file_path'] })
// @ts-expect-error Type '"secret"' is not assignable to type
createWorker(images, 'imageJobs', () => {}, { select: ['secret'] })

// Of a union of rows the union stays, and columns of any of them may be named.

type MailRow = Nine & { kind: 'mail'; payload: { to: string } }
type TextRow = Nine & { kind: 'text'; payload: { phone: string }; country: string | null }
declare const unions: Kysely<{ jobs: MailRow | TextRow }>
createWorker(
  unions,
  'jobs',
  (job) => {
    if (job.kind === 'text') return console.log(job.payload.phone, job.country)
    // @ts-expect-error Property 'country' does not exist on type
    console.log(job.country)
    return console.log(job.payload.to, job.id)
  },
  { select: ['kind', 'payload', 'country'] },
)
