import { type RawBuilder, sql } from 'kysely'
import { isUnlocked } from '../predicates/claimable.js'
import { now } from '../predicates/clock.js'
import { column, job } from '../predicates/column.js'
import { inDueOrder } from '../predicates/due-order.js'
import { isPending } from '../predicates/status.js'
import type { Jobs } from '../schema/job-database.js'
import { own } from '../schema/own-names.js'
import type { Claim, Since } from './claim.js'

/** The most levels that a claim looks up one by one. */
export const mostLevels = 100

/** Where there are more, only levels of these due jobs are added: of so many that wait longest, and of the latest. */
export const longestWaiting = 1000
export const latest = 100

/** Above and below every priority, whatever integer type the column has. */
const above = sql.lit('9223372036854775807')
const below = sql<number>`'-9223372036854775808'::bigint`

/** The level from which a cursor has read that comes next below a step; null: there is none. */
const nextKnown = ({ levels }: Since): RawBuilder<number | null> =>
  sql`(select max(known) from unnest(${levels}::bigint[]) as known where known < ${sql.ref(`${own.step}.priority`)})`

const orBelow = (level: RawBuilder<number | null>) => job.fn.coalesce(level, below)

/** From when on a cursor has to read a level. */
export const levelSince = ({ levels, times, others }: Since): RawBuilder<Date> =>
  sql`coalesce((select since from unnest(${levels}::bigint[], ${times}::timestamptz[]) as known(level, since) where level = ${sql.ref(`${own.level}.priority`)}), ${others}::timestamptz)`

/**
 * The priorities at which a claim looks for due jobs, highest first: the {@link mostLevels} highest among the pending
 * jobs, each found by one step along the ready index. An `order by priority desc, run_at` would read every job that is
 * not due yet (7,706 buffers against 11 to 26).
 *
 * Whoever may set priorities could make 65,535 levels of jobs that are never due (a claim took 164,079 buffers, with the
 * bound 540). So where there are more than so many, the levels below come from the due jobs themselves, by the due index:
 * in the order of priority while no more than {@link longestWaiting} jobs are due, and none waits for ever.
 *
 * With a cursor, its levels are among them whatever waits there, and only between them the index is read: of a level that
 * is worked off all entries are dead (a fetch of 10 after a million jobs of five levels: 111 buffers against 74,488, and 7,781
 * where somebody has read them before).
 */
export function withPriorityLevels(jobs: Jobs, { where }: Claim, since?: Since) {
  return withLevelSteps(jobs, since).with(own.level, (db) => {
    const priority = `${own.step}.priority` as const
    const last = db.selectFrom(own.step).select(priority).where(`${own.step}.place`, '=', job.lit(mostLevels))
    const [time, isMine] = [inDueOrder(column('run_at')), where ?? job.lit(true)]
    // Of this db, which knows the steps: by the user's handle, withSchema would give them a schema.
    const due = db
      .selectFrom(where ? jobs.asJob : jobs.table)
      .select('priority')
      .where(job.and([isPending(), job(time, '<=', inDueOrder(now())), isUnlocked(), job.exists(last), isMine]))
    const ofDue = (order: 'asc' | 'desc', limit: number) =>
      db.selectFrom(due.orderBy(time, order).limit(limit).as(own.due)).select(`${own.due}.priority`)
    const lower = ofDue('asc', longestWaiting).union(ofDue('desc', latest)).orderBy('priority', 'desc')
    // Not sorted together, so that a claim which is full at the highest level asks for no other.
    return db
      .selectFrom(own.step)
      .select(priority)
      .where(`${own.step}.place`, '>', job.lit(0))
      .unionAll(db.selectFrom(lower.as(own.due)).select(`${own.due}.priority`).where(`${own.due}.priority`, '<', last))
  })
}

/** The first {@link mostLevels} of them, which is all where there are no more: by step, from the place 1 on, and a null behind the last. */
export function withLevelSteps(jobs: Jobs, since?: Since) {
  const known = since && nextKnown(since)
  return jobs.db.withRecursive(`${own.step}(priority, place)`, (db) =>
    db
      .selectNoFrom((eb) => [eb.cast<number | null>(above, 'bigint').as('priority'), eb.lit<number>(0).as('place')])
      .unionAll(
        db
          .selectFrom(own.step)
          .where(`${own.step}.priority`, 'is not', null)
          .where(`${own.step}.place`, '<', job.lit(mostLevels))
          .select((eb) => [
            eb.fn
              .coalesce(
                eb
                  .selectFrom(jobs.table)
                  .select('priority')
                  .where(job.and([isPending(), ...(known ? [job('priority', '>', orBelow(known))] : [])]))
                  .whereRef('priority', '<', `${own.step}.priority`)
                  .orderBy('priority', 'desc')
                  .limit(1),
                known ?? job.lit(null),
              )
              .as('priority'),
            eb(`${own.step}.place`, '+', eb.lit(1)).as('place'),
          ]),
      ),
  )
}
