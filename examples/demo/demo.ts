import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { Kysely, PostgresDialect } from 'kysely'
import { guardPool } from 'kysely-jobs'
import pg from 'pg'
import { migrate } from '../../migrations/migrate.ts'
import { openDatabase } from '../database.ts'
import type { DB } from '../db.ts'
import { filesIn } from './files.ts'
import { enqueueFiles, leaseHolders, unfinishedJobs } from './jobs.ts'
import { Progress, type Screen } from './progress.ts'
import { report } from './report.ts'
import { verifyDigests } from './verify.ts'
import { count, seconds } from './words.ts'
import { endWorker, isAlive, startWorker, type WorkerProcess } from './worker-process.ts'

/** Opens a database, and leaves neither it nor a worker behind. True when every digest is right. */
export async function runDemo(folder: string, screen: Screen, interrupted: AbortSignal): Promise<boolean> {
  const database = await openDatabase('kysely_jobs_demo')
  const pool = guardPool(new pg.Pool({ connectionString: database.url }))
  const db = new Kysely<DB>({ dialect: new PostgresDialect({ pool }) })
  const workers: WorkerProcess[] = []
  try {
    const start = () => workers.push(startWorker(database.url, workers.length + 1))
    screen.write(`Postgres: ${database.embedded ? 'embedded, in a temporary folder' : 'a database on DATABASE_URL'}\n`)
    return await tellStory(db, { folder, screen, interrupted, workers, start })
  } finally {
    await Promise.all(workers.map((worker) => endWorker(worker, 'SIGTERM')))
    await db.destroy()
    await database.close()
  }
}

interface Cast {
  readonly folder: string
  readonly screen: Screen
  readonly interrupted: AbortSignal
  readonly workers: readonly WorkerProcess[]
  /** Starts one more worker. */
  readonly start: () => void
}

/** From an empty database to the table of results. */
async function tellStory(db: Kysely<DB>, cast: Cast): Promise<boolean> {
  const { folder, screen, interrupted, workers } = cast
  const say = (line: string) => screen.write(`${line}\n`)
  const since = Date.now()
  await migrate(db)
  const total = await enqueueFiles(db, withOneThatIsGone(filesIn(folder)), interrupted)
  say(`Enqueued: ${count(total)} jobs, one for each file in ${nearby(folder)} and one for a file that is not there`)

  const progress = new Progress(screen, total)
  cast.start()
  cast.start()
  for (const { number, process: child } of workers) say(`Worker ${number}: process ${child.pid}`)
  await watch(db, cast, progress, total)
  say(`Done in ${seconds(progress.elapsed)}; computing every digest again ...\n`)

  const verification = await verifyDigests(db, { total, since, signal: interrupted })
  say(await report(db, progress.elapsed, verification))
  return verification.wrong.length === 0
}

/** A path as short as it can be said from here. */
function nearby(path: string): string {
  const way = relative('.', path)
  return way.startsWith('..') ? path : way || '.'
}

/** A folder may hold nothing that fails. */
async function* withOneThatIsGone(paths: AsyncIterable<string>): AsyncGenerator<string> {
  yield join(tmpdir(), 'deleted-before-its-job-ran.txt')
  yield* paths
}

/** Shows the progress until nothing is unfinished, and kills a worker half way. */
async function watch(db: Kysely<DB>, { workers, interrupted }: Cast, progress: Progress, total: number): Promise<void> {
  let killed = false
  for await (const left of unfinishedJobs(db, interrupted)) {
    progress.show(total - left)
    if (!workers.some(isAlive)) throw new Error('both workers are gone')
    if (!killed && left > 0 && left <= total / 2) killed = await killOne(db, workers, progress)
  }
  progress.finish(killed ? 'The other worker did the rest.' : 'All was done before a worker could be killed.')
}

/** Whether a lease is a worker's: it is the worker's id but for its last digit, which says how its job was claimed. */
const isOf = ({ id }: WorkerProcess, lease: string | null) =>
  id !== undefined && lease?.slice(0, -1) === id.slice(0, -1)

/** Kills the worker that holds the most jobs; false where none holds any just now. */
async function killOne(db: Kysely<DB>, workers: readonly WorkerProcess[], progress: Progress): Promise<boolean> {
  const [holder] = await leaseHolders(db)
  const victim = workers.find((worker) => holder !== undefined && isOf(worker, holder.worker))
  if (victim === undefined) return false
  await endWorker(victim, 'SIGKILL')
  const left = (await leaseHolders(db)).filter(({ worker }) => isOf(victim, worker))
  const jobs = left.reduce((sum, { jobs }) => sum + jobs, 0)
  progress.say(`Worker ${victim.number} (process ${victim.process.pid}) killed with SIGKILL; it held ${jobs} jobs.`)
  return true
}
