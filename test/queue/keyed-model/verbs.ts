import fc from 'fast-check'
import { type Kysely, sql } from 'kysely'
import { cancelJobs, deleteJobs, enqueue, limitJobs, rescheduleJobs, retryJobs } from 'kysely-jobs'
import { release, rescue, settle } from 'kysely-jobs/queue'
import { forgetLimits } from '../../../src/queue/forget-limits.ts'
import { jobsOf } from '../../../src/schema/job-database.ts'
import { age, worker } from '../mail-jobs.ts'
import type { ModelJob, Wanted } from './allowed.ts'
import { type Claims, conditions, type Way } from './claims.ts'

/** What a verb needs to know of the moment in which it is said. */
export interface Known {
  readonly jobs: readonly ModelJob[]
  readonly claims: Claims
  /** The columns of the key. */
  readonly by: readonly string[]
}

/** Something that is done at once with others, by a connection of its own. */
export type Verb = (handle: Kysely<any>, known: Known) => Promise<unknown>

export const hour = 3_600_000
/** Shorter than a step of the clock, of which the shortest is half an hour. */
const lease = hour / 4

const tenants = [1, 2, 3]
const regions = ['a', 'b']
const anyTenant = fc.constantFrom(...tenants, 1)
const anyRegion = fc.constantFrom(...regions)
const anyDelay = fc.constantFrom(0, 0, 0, 1)
const anyPick = fc.nat(9)

function verb<Numbers>(name: string, numbers: fc.Arbitrary<Numbers>, run: (numbers: Numbers) => Verb) {
  const shown = (chosen: Numbers) => ({ [fc.toStringMethod]: () => `${name} ${JSON.stringify(chosen)}` })
  return numbers.map((chosen): Verb => Object.assign(run(chosen), shown(chosen)))
}

/** The key that jobs of a tenant and region have. */
const keyOf = (by: readonly string[], tenant: number, region: string) =>
  Object.fromEntries(Object.entries({ tenant: String(tenant), region }).filter(([column]) => by.includes(column)))

const anyEnqueue = verb(
  'enqueue',
  fc.tuple(
    fc.array(fc.tuple(anyTenant, anyRegion, fc.integer({ min: 1, max: 3 }), fc.nat(9)), { minLength: 1, maxLength: 6 }),
    anyDelay,
  ),
  ([jobs, delay]) =>
    (handle, { by }) => {
      const rows = jobs.map(([tenant, region, most, place], n) => {
        const run_at = sql`now() + ${delay} * interval '1 hour' - ${n + 1} * interval '1 ms'` // each at a moment of its own
        return { tenant, region, most, place, own_key: JSON.stringify(keyOf(by, tenant, region)), run_at }
      })
      return enqueue(handle, 'key_jobs', rows as never)
    },
)

export const anyWanted: fc.Arbitrary<Omit<Wanted, 'last'>> = fc.record({
  limit: fc.integer({ min: 1, max: 6 }),
  quota: fc.integer({ min: 1, max: 4 }),
  most: fc.constantFrom(1, 2, 100, 100),
  below: fc.constantFrom(...conditions),
})

const anyClaim = verb(
  'claim',
  fc.tuple(fc.constantFrom<Way>('message', 'message', 'message', 'steps', 'one'), anyWanted),
  ([way, wanted]) =>
    (handle, { claims }) =>
      claims(handle, way, { ...wanted, last: [] }),
)

const picked = (jobs: readonly ModelJob[], pick: number) => (jobs.length === 0 ? [] : [jobs[pick % jobs.length]!])
const leasesOf = (jobs: readonly ModelJob[], pick: number) =>
  picked(
    jobs.filter(({ status }) => status === 'running'),
    pick,
  ).map(({ id, attempt }) => ({ id, attempt }))

/** What a worker writes; also where another has written of the job meanwhile. */
const anySettle = verb(
  'settle',
  fc.tuple(fc.constantFrom('succeeded', 'succeeded', 'failed', 'retry', 'snoozed', 'released'), anyDelay, anyPick),
  ([kind, delay, pick]) =>
    (handle, { jobs }) => {
      const leases = leasesOf(jobs, pick)
      if (kind === 'released') return release(handle, 'key_jobs', leases, { worker })
      const outcomes = leases.map((one) => ({ ...one, kind, delay: delay * hour, error: 'it went wrong' }))
      return settle(handle, 'key_jobs', outcomes as never, { worker })
    },
)

const anyRescue = verb(
  'rescue',
  fc.constantFrom(2, 99),
  (maxAttempts) => (handle) => rescue(handle, 'key_jobs', { lease, maxAttempts }),
)

const anyHand = verb(
  'by hand',
  fc.tuple(fc.constantFrom('cancel', 'retry', 'retry', 'reschedule', 'delete'), anyDelay, anyPick),
  ([name, delay, pick]) =>
    (handle, { jobs }) => {
      const isFinal = ({ status }: ModelJob) => !['not_started', 'retry', 'running'].includes(status)
      const ids = picked(name === 'retry' ? jobs.filter(isFinal) : jobs, pick).map(({ id }) => id)
      if (name === 'cancel') return cancelJobs(handle, 'key_jobs', { ids })
      if (name === 'delete') return deleteJobs(handle, 'key_jobs', { ids })
      const again = name === 'retry' ? retryJobs : rescheduleJobs
      return again(handle, 'key_jobs', { ids }, { delay: delay * hour })
    },
)

const anyLimit = verb(
  'limit',
  fc.tuple(fc.option(fc.tuple(anyTenant, anyRegion)), fc.constantFrom(undefined, 0, 1, 2, 4)),
  ([key, max]) =>
    (handle, { by }) =>
      limitJobs(handle, 'key_jobs', { where: key && by.length > 0 ? keyOf(by, ...key) : undefined, max }),
)

export const kept = (columns: readonly string[]) => ({
  ...{ table: { schema: 'public', name: 'job_limits' }, of: { schema: 'public', name: 'key_jobs' } },
  columns: columns.map((name) => ({ name, type: name === 'tenant' ? 'integer' : 'text' })),
})

const anyForget = verb(
  'forget',
  fc.constant(0),
  () =>
    (handle, { by }) =>
      forgetLimits(jobsOf(handle, 'key_jobs'), kept(by), 3 * hour), // in which a burst of three is made up for
)

const anyVerb = fc.oneof(
  { weight: 3, arbitrary: anyEnqueue },
  { weight: 7, arbitrary: anyClaim },
  { weight: 6, arbitrary: anySettle },
  { weight: 1, arbitrary: anyRescue },
  { weight: 3, arbitrary: anyHand },
  { weight: 2, arbitrary: anyLimit },
  { weight: 1, arbitrary: anyForget },
)

/** Verbs that are said at once, while somebody holds a row; then the clock may move on, and one claims alone. */
export const anyRound = fc.record({
  said: fc.oneof(
    { weight: 3, arbitrary: fc.array(anyVerb, { minLength: 1, maxLength: 4 }) },
    { weight: 1, arbitrary: fc.array(anyClaim, { minLength: 4, maxLength: 4 }) }, // to race
  ),
  held: fc.option(anyPick, { freq: 2 }),
  hours: fc.constantFrom(0, 0, 0, 0.5, 1, 3),
  alone: fc.option(
    fc.record({ way: fc.constantFrom<Way>('steps', 'message', 'one'), wanted: anyWanted, goesOn: fc.boolean() }),
    { freq: 3 },
  ),
})

export interface Round {
  readonly said: readonly Verb[]
  readonly held: number | null
  readonly hours: number
  readonly alone: { readonly way: Way; readonly wanted: Omit<Wanted, 'last'>; readonly goesOn: boolean } | null
}

/** Time passes for jobs, and for what is used of their rates. */
export async function pass(db: Kysely<any>, hours: number): Promise<void> {
  const time = sql`${hours} * interval '1 hour'`
  await age(db, `${hours} hours`, 'key_jobs')
  await db
    .updateTable('job_limits')
    .set({ used_at: sql`used_at - ${time}` })
    .execute()
  await db
    .updateTable('starts')
    .set({ at: sql`at - ${time}` })
    .execute()
}
