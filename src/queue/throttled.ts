import { type Expression, type QueryCreator, sql } from 'kysely'
import { clockTimestamp, earlier, isolation, once } from '../predicates/clock.js'
import { column, job } from '../predicates/column.js'
import { isUnfinished } from '../predicates/status.js'
import { columnOf, isSame } from '../predicates/unique.js'
import type { JobDatabase, Jobs } from '../schema/job-database.js'
import { own } from '../schema/own-names.js'
import { idOf } from '../schema/row.js'
import { asJsonText, asText, textsOf } from '../schema/text.js'
import { unlessUndone } from '../schema/undone.js'
import { undoable } from './chunks.js'
import type { NewRow } from './new-rows.js'
import { EnqueueOptionError, type Uniqueness } from './unique-options.js'
import { insertUnique, keysOf, ownNames, type Standing, type StandingJobs, standingOf } from './unique-statement.js'

/** How jobs are unique for a time. */
interface Throttle extends Uniqueness {
  /** Milliseconds. */
  readonly within: number
}

type Found = StandingJobs extends ReadonlyMap<number, infer One> ? One : never

/** Another was quicker: what was inserted is to be undone. */
class Overtaken extends Error {}

/**
 * Inserts rows where no unfinished job has their values, nor any that was enqueued just before.
 *
 * The index over unfinished jobs is the lock: whoever has inserted a row makes others of its values wait for the commit. Then, and not
 * before, the row looks for jobs of its values that have ended meanwhile; where it finds one, it goes.
 */
export async function insertThrottled(jobs: Jobs, throttle: Throttle, rows: readonly NewRow[]): Promise<StandingJobs> {
  const standing = new Map<number, Found>()
  for (const [place, row] of rows.entries()) {
    const one = (await recent(jobs, throttle, row)) ?? (await insertOne(jobs, throttle, row))
    if (one !== undefined) standing.set(place, one)
  }
  return standing
}

/** The job that stands for a row before anything is written: the unfinished one, or the last that was enqueued within the time. */
async function recent(jobs: Jobs, { columns, within }: Throttle, row: NewRow): Promise<Found | undefined> {
  const names = ownNames([row])
  const since = once(earlier(clockTimestamp(), within))
  const query = jobs.db
    .with(own.given, (db) => keysOf(db, jobs, columns, [row]))
    .with(own.put, (db) => provingIndex(db, jobs, columns))
    .selectFrom(own.given)
    .innerJoinLateral(
      (inner) => {
        const same = () =>
          inner
            .selectFrom(jobs.table)
            .selectAll()
            .where(isSame(columns, own.row, own.given))
            .limit(1)
        const enqueued = same()
          .where(job(column('created_at'), '>', since))
          .orderBy('created_at', 'desc')
        return inner
          .selectFrom(same().where(isUnfinished()).as(own.due))
          .selectAll()
          .unionAll((db) => db.selectFrom(enqueued.as(own.next)).selectAll())
          .limit(1)
          .as(own.standing)
      },
      (join) => join.onTrue(),
    )
    .selectAll(own.standing)
    .select([asText(sql`null`, names.isNew), asText(columnOf(own.given, names.place), names.place)])
  return standingOf(await unlessUndone(jobs.db, () => query.execute()), names).get(0)
}

/** Undefined where another was quicker. */
async function insertOne(jobs: Jobs, throttle: Throttle, row: NewRow): Promise<Found | undefined> {
  try {
    return await undone(jobs, async (db) => {
      const inside = { ...jobs, db }
      const one = (await insertUnique(inside, throttle, [{ ...row, created_at: clockTimestamp() }])).get(0)
      if (one?.isNew && !(await isFirst(inside, throttle, one, row))) throw new Overtaken()
      return one
    })
  } catch (error) {
    if (error instanceof Overtaken) return undefined
    throw error
  }
}

/** What fails comes to nothing, in a transaction of the user's too. */
function undone<Result>(jobs: Jobs, work: (db: Jobs['db']) => Promise<Result>): Promise<Result> {
  if (jobs.db.isTransaction) return undoable(jobs, () => work(jobs.db))
  return unlessUndone(jobs.db, () => jobs.db.transaction().setIsolationLevel('read committed').execute(work))
}

/** Whether no other job of its values was enqueued within the time before it. @throws EnqueueOptionError in a snapshot, which does not know */
async function isFirst(
  jobs: Jobs,
  { columns, within }: Throttle,
  { job: row }: Standing,
  given: NewRow,
): Promise<boolean> {
  const id = idOf(row)
  // Of jobs with one id, in several partitions, it is the last.
  const created = job
    .selectFrom(jobs.table)
    .select(job.fn<Date>('max', [column('created_at')]).as('created_at'))
    .where('id', '=', id)
    .$asScalar()
  const query = jobs.db
    .with(own.given, (db) => keysOf(db, jobs, columns, [given]))
    .selectNoFrom((db) => {
      const before = db
        .selectFrom(jobs.table)
        .innerJoin(own.given, (join) => join.on(isSame(columns, own.row, own.given)))
        .select(job.lit(1).as(own.next))
        .where(job(columnOf(own.row, 'id'), '<>', id))
        .where(job(columnOf(own.row, 'created_at'), '>', once(earlier(created, within))))
      return asJsonText([db.exists(before), isolation()])
    })
  const [text] = await textsOf(jobs.db, query.compile())
  const [isOvertaken, level] = JSON.parse(String(text)) as [boolean, string] // which the statement makes
  if (level === 'read committed') return !isOvertaken
  throw new EnqueueOptionError(
    `within: in a ${level} transaction a job that was enqueued since its beginning can't be seen; enqueue in a read committed one, or outside of it`,
  )
}

/** An insert of no rows, which is an error where no index leads to the jobs of some values by their time. */
function provingIndex(db: QueryCreator<JobDatabase>, jobs: Jobs, columns: readonly string[]) {
  const target = columns as 'id'[] // the door has checked the user's
  const none = db
    .selectFrom(jobs.table)
    .select(columns.map((name) => columnOf(own.row, name).as(name)))
    .where(job.lit(false))
  return db
    .insertInto(jobs.name)
    .columns(target)
    .expression(none as Expression<never>) // the same columns
    .onConflict((conflict) => conflict.columns([...target, 'created_at', 'id']).doNothing())
    .returning('id')
}
