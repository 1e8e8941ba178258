import type { JobView } from '../../observe/view.js'
import { sqlState } from '../../pg/error-class.js'
import { enqueue } from '../../queue/enqueue.js'
import { NewJobError } from '../../queue/new-job.js'
import type { JobId } from '../../schema/columns.js'
import type { Jobs } from '../../schema/job-database.js'
import { type GivenJob, rowOf, ValuesError } from './given-jobs.js'

/** How jobs are enqueued, as the verb takes it. */
export interface How {
  readonly delay?: number
  readonly unique?: readonly [string, ...string[]]
  readonly within?: number
}

/** A job that was enqueued, or the one that stands for it. */
export interface Enqueued {
  readonly id: string
  readonly isNew: boolean
}

interface Inserting {
  readonly chunk: readonly GivenJob[]
  readonly how: How
}

/**
 * Enqueues jobs in one transaction: all of them, or none.
 * @throws ValuesError that says which of them is refused
 */
export async function insertJobs(jobs: Jobs, view: JobView, { chunk, how }: Inserting): Promise<Enqueued[]> {
  const rows = chunk.map((given) => rowOf(view, given))
  try {
    return await insert(jobs, rows, how)
  } catch (error) {
    const refused = isOfValues(error) ? await firstRefused(jobs, rows, how) : undefined
    if (refused === undefined) throw error
    const message = refused.error instanceof Error ? refused.error.message : String(refused.error)
    throw new ValuesError(`${chunk[refused.place]?.of}: ${message}`, { cause: refused.error })
  }
}

type EnqueueUnique = (
  ...given: [db: Jobs['db'], table: string, rows: readonly object[], how: How]
) => Promise<readonly { readonly job: { readonly id: JobId }; readonly isNew: boolean }[]>

const enqueueUnique = enqueue as unknown as EnqueueUnique // to the types no column is the user's own; the verb looks at the real ones

async function insert({ db, name }: Jobs, rows: readonly object[], { unique, ...how }: How): Promise<Enqueued[]> {
  if (unique === undefined) {
    const { delay } = how
    const jobs = await enqueue(db, name, rows, { delay })
    return jobs.map(({ id }) => ({ id: String(id), isNew: true }))
  }
  const found = await enqueueUnique(db, name, rows, { ...how, unique })
  return found.map(({ job, isNew }) => ({ id: String(job.id), isNew }))
}

/** A value that is none of its column's type, a constraint, a trigger: it is of one of the jobs. */
const isOfValues = (error: unknown): boolean =>
  error instanceof NewJobError || /^(?:2[23]|P0)/.test(sqlState(error) ?? '')

/** The first job that is refused, where one is by itself or beside those before it. What is tried is undone. */
async function firstRefused(jobs: Jobs, rows: readonly object[], how: How) {
  const trx = await jobs.db.startTransaction().execute()
  try {
    for (const [place, row] of rows.entries()) {
      try {
        await insert({ ...jobs, db: trx }, [row], how)
      } catch (error) {
        return { place, error }
      }
    }
    return undefined
  } finally {
    await trx.rollback().execute()
  }
}
