import {
  ColumnNode,
  type Expression,
  ExpressionWrapper,
  type InsertQueryNode,
  type QueryCreator,
  ReferenceNode,
  type SqlBool,
  sql,
} from 'kysely'
import { clockTimestamp } from '../predicates/clock.js'
import { job } from '../predicates/column.js'
import { isPendingStatus, isRunning, isUnfinished, statusLiteral } from '../predicates/status.js'
import { columnOf, excluded, given, isInserted, isSame, isUnbegun, isUnmet, meeting } from '../predicates/unique.js'
import type { JobAlias, JobDatabase, Jobs } from '../schema/job-database.js'
import { own } from '../schema/own-names.js'
import { camelCase } from '../schema/row.js'
import { asText } from '../schema/text.js'
import type { NewRow } from './new-rows.js'
import { givenColumns } from './unique-keys.js'
import type { Uniqueness } from './unique-options.js'
import { unusedName } from './unused-name.js'

/** The job that stands for a row that was to be inserted, as the user's driver gives it. */
export interface Standing {
  readonly job: object
  readonly isNew: boolean
}

/** What stands for rows, by their places among them, and whether the statement has written it. */
export type StandingJobs = ReadonlyMap<number, Standing & { readonly isWritten: boolean }>

/** Whether a job that waits is written to. */
export const changesStanding = ({ onConflict }: Uniqueness): boolean =>
  onConflict === 'replace' || onConflict === 'keepEarliest'

/**
 * Inserts rows where no job stands for their values, changes those that stand where the options say so, and finds the others, in one
 * statement.
 *
 * The insert meets every row, also one that is committed while it runs; what looks for jobs sees those of its beginning. So for a row
 * nothing may be found, where a job was inserted or has ended just now: whoever asks, asks again.
 */
export async function insertUnique(jobs: Jobs, uniqueness: Uniqueness, rows: readonly NewRow[]): Promise<StandingJobs> {
  const { columns, onlyWaiting } = uniqueness
  const names = ownNames(rows)
  const isFound = mayStand(uniqueness)
  const isNew = !changesStanding(uniqueness) ? job.lit(true) : mayMark(jobs) ? isUnmet() : isInserted()
  const scope = jobs.db
    .with(own.given, (db) => keysOf(db, jobs, columns, rows))
    .with(own.put, (db) => inserting(db, jobs, uniqueness, rows).returning(asText(isNew, names.isNew)))
  const one = scope.selectFrom(own.put).selectAll().select(asText(sql`0`, names.place))
  const several = scope
    .selectFrom(own.put)
    .innerJoin(own.given, (join) => join.on(isSame(columns, own.put, own.given)))
    .selectAll(own.put)
    .select(asText(columnOf(own.given, names.place), names.place))
  const query = (rows.length === 1 ? one : several).unionAll((db) =>
    db
      .selectFrom(own.given)
      .innerJoinLateral(
        (inner) => {
          const found = inner
            .selectFrom(jobs.table)
            .selectAll()
            .where(isSame(columns, own.row, own.given))
            .where(isFound)
            .limit(1)
          if (!onlyWaiting) return found.as(own.standing)
          // Who has inserted waits for no lock: another may wait for the insert, and hold that lock.
          const isPut = inner
            .selectFrom(own.put)
            .select(job.lit(1).as(own.next))
            .where(isSame(columns, own.put, own.given))
          return found
            .where(job.not(job.exists(isPut)))
            .forNoKeyUpdate()
            .as(own.standing)
        },
        (join) => join.onTrue(),
      )
      .selectAll(own.standing)
      .select([asText(sql`null`, names.isNew), asText(columnOf(own.given, names.place), names.place)]),
  )
  return standingOf(await query.execute(), names)
}

/** What is ours in an answer: a row's place among those that were given, and whether it is new. */
interface OwnNames {
  readonly place: string
  readonly isNew: string
}

/** Names that no column of the rows has. */
export function ownNames(rows: readonly NewRow[]): OwnNames {
  const columns = rows.flatMap((row) => Object.keys(row))
  return { place: unusedName(columns, own.place), isNew: unusedName(columns, own.isNew) }
}

/** Whether what an insert meets can be marked, which is volatile. Where it can't be, the server knows no partitions. */
const mayMark = ({ home }: Jobs): boolean => home?.engine.volatileInUpdate ?? true

/** The insert, and what it does with a job that stands. */
export function inserting(db: QueryCreator<JobDatabase>, jobs: Jobs, uniqueness: Uniqueness, rows: readonly NewRow[]) {
  const { columns, onConflict, onlyWaiting } = uniqueness
  // Of this index `status` is a column too, so that no statement takes the one for the other.
  const indexed = (onlyWaiting ? [...columns, 'status'] : columns) as 'status'[] // the door has checked the user's
  return db
    .insertInto(jobs.name)
    .values(rows)
    .onConflict((conflict) => {
      const target = conflict.columns(indexed).where(onlyWaiting ? isUnbegun() : isUnfinished())
      if (!changesStanding(uniqueness)) return target.doNothing()
      const known = (name: 'id' | 'run_at' | 'status') => columnOfKnown(db, jobs, name)
      const changes = onConflict === 'replace' ? replacing(rows) : earliest(known('run_at'))
      const time = clockTimestamp()
      const changed = target.doUpdateSet({ ...changes, updated_at: mayMark(jobs) ? meeting(known('id'), time) : time })
      return onlyWaiting ? changed : changed.where(isPendingStatus(known('status')))
    })
    .returningAll()
}

/** The job that waits is as one that was enqueued just now, with its id and `created_at`; columns that nobody gives keep what they have. */
function replacing(rows: readonly NewRow[]) {
  const given = new Set(rows.flatMap(givenColumns))
  for (const name of ['run_at', 'runAt', 'id']) given.delete(name)
  return {
    ...Object.fromEntries([...given].map((name) => [name, excluded(name)])),
    run_at: excluded('run_at'),
    status: statusLiteral('job_status_not_started'),
    attempts_count: 0,
    last_error: null,
    locked_at: null,
    locked_by: null,
  }
}

function earliest(runAt: Expression<unknown>) {
  return { run_at: job.fn<Date>('least', [runAt, excluded('run_at')]) }
}

/** A column of the job that an insert meets; the table as the insert writes it, as kysely trims a name beside a dot. */
function columnOfKnown(db: QueryCreator<JobDatabase>, jobs: Jobs, name: string): Expression<unknown> {
  const { into } = db.insertInto(jobs.name).toOperationNode() as InsertQueryNode // which an insert is
  return new ExpressionWrapper<JobDatabase, JobAlias, unknown>(ReferenceNode.create(ColumnNode.create(name), into))
}

/** Which jobs stand that the insert has not answered with. */
export function mayStand(uniqueness: Uniqueness): Expression<SqlBool> {
  const isChanged = changesStanding(uniqueness)
  if (uniqueness.onlyWaiting) return isChanged ? job.lit(false) : isUnbegun()
  return isChanged ? isRunning() : isUnfinished()
}

/** Takes the rows of an answer apart: a job for each place; of two that which was written, as only it says whether it is new. */
export function standingOf(rows: readonly object[], names: OwnNames): StandingJobs {
  const ours = new Set([names.place, names.isNew].flatMap((name) => [name, camelCase(name)]))
  const found = new Map<number, Standing & { isWritten: boolean }>()
  for (const row of rows) {
    const place = Number(ownValue(row, names.place))
    const isNew = ownValue(row, names.isNew)
    if (found.has(place) && isNew === null) continue
    const job = Object.fromEntries(Object.entries(row).filter(([name]) => !ours.has(name)))
    found.set(place, { job, isNew: isNew === 'true', isWritten: isNew !== null })
  }
  return found
}

/** A value that is ours, by its name or as CamelCasePlugin leaves it. */
function ownValue(row: object, name: string): unknown {
  return Reflect.get(row, Object.hasOwn(row, name) ? name : camelCase(name))
}

/** The values by which rows are to be unique, of the types that the table has for them, each with the row's place. */
export function keysOf(db: QueryCreator<JobDatabase>, jobs: Jobs, columns: readonly string[], rows: readonly NewRow[]) {
  const { place: name } = ownNames(rows)
  const typed = db
    .selectFrom(jobs.table)
    .select([...columns.map((column) => columnOf(own.row, column).as(column)), sql<number>`0`.as(name)])
    .where(job.lit(false))
  const keys = rows.map((row, place) =>
    db.selectNoFrom([
      ...columns.map((column) => given(Reflect.get(row, column)).as(column)),
      job.lit<number>(place).as(name),
    ]),
  )
  return typed.unionAll(keys)
}
