import type { Generated, Kysely, Transaction } from 'kysely'
import { type Enqueued, type EnqueueOptions, enqueue, type Job, type NewJob, type UniqueOptions } from 'kysely-jobs'
import { type DB as Base, type Equal, holds, type Nine } from './database.js'

// Unique jobs: the columns are named in the call, and what the values lack is said at the values.

interface SyncJobs extends Nine {
  shop_id: number
  resource: Generated<string>
  cursor: string | null
}
interface CamelJobs {
  id: Generated<string>
  createdAt: Date
  updatedAt: Date
  status: Nine['status']
  lastError: string | null
  attemptsCount: Generated<number>
  lockedAt: Date | null
  lockedBy: string | null
  runAt: Generated<Date>
  shopId: number
}
interface DB extends Base {
  sync_jobs: SyncJobs
  camelJobs: CamelJobs
  either_jobs: (Nine & { kind: 'a'; a: number }) | (Nine & { kind: 'b'; b: string })
}
declare const db: Kysely<DB>
declare const trx: Transaction<DB>
declare const many: readonly NewJob<DB, 'mail_jobs'>[]
const mail = { user_id: 'ann', template: 'welcome' } as const

/** The answer says which job stands, and whether it is new. */
export async function answers() {
  const one = await enqueue(db, 'mail_jobs', mail, { unique: ['user_id', 'template'] })
  holds<Equal<typeof one, Enqueued<DB, 'mail_jobs'>>>()
  holds<Equal<typeof one.job, Job<DB, 'mail_jobs'>>>()
  holds<Equal<typeof one.isNew, boolean>>()
  const several = await enqueue(trx, 'mail_jobs', [mail, mail], {
    unique: ['user_id'],
    onConflict: 'replace',
    delay: '5m',
  })
  holds<Equal<typeof several, Enqueued<DB, 'mail_jobs'>[]>>()
  const known = await enqueue(trx, 'mail_jobs', many, { unique: ['user_id'] })
  holds<Equal<typeof known, Enqueued<DB, 'mail_jobs'>[]>>()
  const plain = await enqueue(db, 'mail_jobs', mail, { delay: '5m' })
  holds<Equal<typeof plain, Job<DB, 'mail_jobs'>>>()
  const sync = await enqueue(db, 'sync_jobs', { shop_id: 1, cursor: 'a' }, { unique: ['shop_id', 'cursor'] })
  holds<Equal<typeof sync, Enqueued<DB, 'sync_jobs'>>>()
}

enqueue(db, 'mail_jobs', mail, { unique: ['user_id'], onConflict: 'ignore', whileRunning: 'queue' })
enqueue(db, 'mail_jobs', mail, { unique: ['user_id'], onConflict: 'keepEarliest', delay: '5m' })
enqueue(db, 'mail_jobs', mail, { unique: ['user_id'], onConflict: 'error', within: '1h' })
enqueue(db, 'mail_jobs', mail, { unique: ['user_id'], within: 60_000 })
enqueue(
  db,
  'camelJobs',
  {
    shopId: 1,
    createdAt: undefined as never,
    updatedAt: undefined as never,
    status: undefined as never,
    lastError: undefined as never,
    lockedAt: undefined as never,
    lockedBy: undefined as never,
  },
  { unique: ['shopId'] },
)
enqueue(db, 'either_jobs', { kind: 'a', a: 1 }, { unique: ['kind', 'a'] })
export const soon: EnqueueOptions = { delay: '5m' }
enqueue(db, 'mail_jobs', mail, soon)
export const once: UniqueOptions<'user_id' | 'template'> = { unique: ['user_id', 'template'] }
export const named: Promise<Enqueued<DB, 'mail_jobs'>> = enqueue(db, 'mail_jobs', mail, once)

// A column of the set that is not given, or null.
// @ts-expect-error Property 'resource' is missing in type '{ shop_id: number; }' but required in type
enqueue(db, 'sync_jobs', { shop_id: 1 }, { unique: ['shop_id', 'resource'] })
// @ts-expect-error Property 'resource' is missing in type '{ shop_id: number; }' but required in type
enqueue(db, 'sync_jobs', [{ shop_id: 1 }], { unique: ['shop_id', 'resource'] })
// @ts-expect-error Type 'null' is not assignable to type 'string'.
enqueue(db, 'sync_jobs', { shop_id: 1, cursor: null }, { unique: ['cursor'] })
// @ts-expect-error Type 'undefined' is not assignable to type 'string'.
enqueue(db, 'sync_jobs', { shop_id: 1, resource: undefined }, { unique: ['resource'] })

// What jobs can't be unique by.
// @ts-expect-error Type '"usr_id"' is not assignable to type '"
enqueue(db, 'mail_jobs', mail, { unique: ['usr_id'] })
// @ts-expect-error Type '"status"' is not assignable to type '"
enqueue(db, 'mail_jobs', mail, { unique: ['user_id', 'status'] })
// @ts-expect-error Type '"id"' is not assignable to type '"
enqueue(db, 'mail_jobs', mail, { unique: ['id'] })
// @ts-expect-error Type '"runAt"' is not assignable to type '"shopId"'.
enqueue(db, 'camelJobs', { shopId: 1 } as never, { unique: ['runAt'] })
// @ts-expect-error is not assignable to type '"name at least one column"'.
enqueue(db, 'mail_jobs', mail, { unique: [] })

// Options that need others, or that can't go together.
// @ts-expect-error is not assignable to type '"needs the columns: unique: ['...']"'.
enqueue(db, 'mail_jobs', mail, { onConflict: 'ignore' })
// @ts-expect-error is not assignable to type '"needs the columns: unique: ['...']"'.
enqueue(db, 'mail_jobs', mail, { whileRunning: 'queue' })
// @ts-expect-error Type '"replace"' is not assignable to type '"error" | "ignore" | "within counts jobs that have ended, which can't be changed"
enqueue(db, 'mail_jobs', mail, { unique: ['user_id'], within: '1h', onConflict: 'replace' })
// @ts-expect-error is not assignable to type '"within counts running jobs, so that none can be queued beside them"'.
enqueue(db, 'mail_jobs', mail, { unique: ['user_id'], within: '1h', whileRunning: 'queue' })
// @ts-expect-error is not assignable to type '"needs the columns: unique: ['...']"'.
enqueue(db, 'mail_jobs', mail, { within: '1h' })
// @ts-expect-error Type '"skip"' is not assignable to type
enqueue(db, 'mail_jobs', mail, { unique: ['user_id'], onConflict: 'skip' })
// @ts-expect-error Type '"1 hour"' is not assignable to type 'number | `${number}
enqueue(db, 'mail_jobs', mail, { unique: ['user_id'], within: '1 hour' })

// What else is refused is refused as ever.
// @ts-expect-error 'subjct' does not exist in type
enqueue(db, 'mail_jobs', { ...mail, subjct: 'Hi' }, { unique: ['user_id'] })
// @ts-expect-error is not assignable to type '"the queue alone writes this column"'.
enqueue(db, 'mail_jobs', { user_id: 'ann', template: 'welcome', locked_by: 'me' }, { unique: ['user_id'] })
