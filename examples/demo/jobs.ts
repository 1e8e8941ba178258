import { setTimeout as sleep } from 'node:timers/promises'
import type { Kysely } from 'kysely'
import { enqueue } from 'kysely-jobs'
import { isPending, isRunning } from 'kysely-jobs/queue'
import type { DB } from '../db.ts'

const chunk = 5_000

/** One job per file, as fast as the files are found. Gives how many. */
export async function enqueueFiles(db: Kysely<DB>, paths: AsyncIterable<string>, signal: AbortSignal): Promise<number> {
  let jobs: { path: string }[] = []
  let total = 0
  const flush = async () => {
    total += (await enqueue(db, 'file_jobs', jobs)).length
    jobs = []
  }
  for await (const path of paths) {
    signal.throwIfAborted()
    jobs.push({ path })
    if (jobs.length === chunk) await flush()
  }
  await flush()
  return total
}

/** Looks, some times a second, how many jobs are unfinished, until none is. */
export async function* unfinishedJobs(db: Kysely<DB>, signal: AbortSignal): AsyncGenerator<number> {
  for (let left = Number.POSITIVE_INFINITY; left > 0; ) {
    const start = performance.now()
    left = await countUnfinished(db)
    yield left
    const took = performance.now() - start
    if (left > 0) await sleep(Math.max(25, 10 * took), undefined, { signal }) // a large table costs no more than a small one
  }
}

/** Our predicates are expressions for queries of your own, too. */
async function countUnfinished(db: Kysely<DB>): Promise<number> {
  const { unfinished } = await db
    .selectFrom('file_jobs')
    .select(({ fn }) => fn.countAll().as('unfinished'))
    .where(({ or }) => or([isPending(), isRunning()]))
    .executeTakeFirstOrThrow()
  return Number(unfinished)
}

/** Who holds running jobs, and how many; who holds the most comes first. */
export async function leaseHolders(db: Kysely<DB>): Promise<{ worker: string | null; jobs: number }[]> {
  const rows = await db
    .selectFrom('file_jobs')
    .select(({ fn }) => ['locked_by', fn.countAll().as('jobs')])
    .where(isRunning())
    .groupBy('locked_by')
    .orderBy('jobs', 'desc')
    .execute()
  return rows.map(({ locked_by, jobs }) => ({ worker: locked_by, jobs: Number(jobs) }))
}
