import type { ColumnType, Generated, GeneratedAlways, Kysely, Transaction } from 'kysely'
import { createWorker, enqueue, type Job, type JobTableName } from 'kysely-jobs'
import { type Equal, holds, type Nine, type Status, type Timestamp } from './database.js'

// The nine columns in the forms that drivers, generators and people give them.

type Changed<Columns> = Omit<Nine, keyof Columns> & Columns

/** Another library's point in time. */
interface Instant {
  readonly epochMilliseconds: number
}
enum StatusEnum {
  NotStarted = 'job_status_not_started',
  Running = 'job_status_running',
  Failed = 'job_status_failed',
  TimedOut = 'job_status_timed_out',
  Succeeded = 'job_status_succeeded',
  Retry = 'job_status_retry',
}
type Times<Value, Nullable> = {
  created_at: Value
  updated_at: Value
  run_at: Value
  locked_at: Nullable
}

interface Forms {
  int_id: Changed<{ id: Generated<number> }>
  identity: Changed<{ id: GeneratedAlways<number> }>
  bigint_string: Changed<{ id: ColumnType<string, bigint | number | string | undefined, string> }>
  bigint: Changed<{ id: Generated<bigint> }>
  text_id: Changed<{ id: string }>
  branded: Changed<{ id: Generated<string & { __brand: 'jobs' }>; locked_by: (string & { __brand: 'workers' }) | null }>
  text_status: Changed<{ status: Generated<string> }>
  enum_status: Changed<{ status: Generated<StatusEnum> }>
  more_status: Changed<{ status: Generated<Status | 'job_status_paused'> }>
  dates: Changed<Times<Generated<Date>, Date | null>>
  texts: Changed<Times<Generated<string>, string | null>>
  instants: Changed<Times<Generated<Instant>, Instant | null>>
  nested: Changed<Times<Generated<Timestamp>, Timestamp | null>>
  nullable_inside: Changed<{ locked_at: ColumnType<Date | null, Date | string | null, Date | string | null> }>
  read_only: Readonly<Nine>
  'billing.jobs': Nine & { amount: ColumnType<string, bigint | number | string, bigint | number | string> }
}
declare const db: Kysely<Forms>
declare const trx: Transaction<Forms>
declare const billing: Kysely<{ jobs: Forms['billing.jobs'] }>

holds<Equal<JobTableName<Forms>, keyof Forms>>()

createWorker(db, 'int_id', ({ id }) => holds<Equal<typeof id, number>>())
createWorker(db, 'identity', ({ id }) => holds<Equal<typeof id, number>>())
createWorker(db, 'bigint_string', ({ id }) => holds<Equal<typeof id, string>>())
createWorker(db, 'bigint', ({ id }) => holds<Equal<typeof id, bigint>>())
createWorker(db, 'text_id', ({ id }) => holds<Equal<typeof id, string>>())
createWorker(db, 'text_status', ({ status }) => holds<Equal<typeof status, string>>())
createWorker(db, 'enum_status', ({ status }) => holds<Equal<typeof status, StatusEnum>>())
createWorker(db, 'texts', ({ run_at }) => holds<Equal<typeof run_at, string>>())
createWorker(db, 'instants', ({ run_at }) => holds<Equal<typeof run_at, Instant>>())

// What is inserted follows: a text `id` must be given, an identity column can't be.

enqueue(db, 'int_id', {})
enqueue(db, 'bigint_string', { id: 7n })
enqueue(db, 'text_id', { id: 'first', run_at: new Date() })
enqueue(db, 'texts', { run_at: '2030-01-01T00:00:00Z' })
enqueue(db, 'nested', { run_at: new Date() })
enqueue(db, 'nested', { run_at: '2030-01-01T00:00:00Z' })
enqueue(db, 'nested', {})
// @ts-expect-error Property 'id' is missing in type '{}' but required in type
enqueue(db, 'text_id', {})
// @ts-expect-error 'id' does not exist in type 'NewRow<
enqueue(db, 'identity', { id: 3 })
// @ts-expect-error Type 'Date' is not assignable to type 'string'.
enqueue(db, 'texts', { run_at: new Date() })

// A table of another schema goes by its full name, or by a handle with that schema.

createWorker(db, 'billing.jobs', ({ amount }) => holds<Equal<typeof amount, string>>())
enqueue(trx, 'billing.jobs', { amount: 100n })
createWorker(billing.withSchema('billing'), 'jobs', (job) => holds<Equal<typeof job, Job<Forms, 'billing.jobs'>>>())
enqueue(billing.withSchema('billing'), 'jobs', { amount: 100 })
// @ts-expect-error Argument of type '"billing.job"' is not assignable to parameter of type
createWorker(db, 'billing.job', () => {})
