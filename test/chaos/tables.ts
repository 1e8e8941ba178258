import { type ColumnType, type Generated, type Kysely, sql } from 'kysely'
import type { JobStatus } from 'kysely-jobs'
import { createJobTable } from 'kysely-jobs/migrate'
import { workerOf } from '../../src/schema/lease-token.ts'

/**
 * What a job's handler does:
 * - work: takes its time, and ends early when its signal aborts.
 * - stubborn: the same, but does not listen to its signal.
 * - block: keeps the event loop busy for its time, in its first attempt.
 * - complete: takes its time, then writes an effect and completes itself in one transaction, whatever its signal says.
 * - hold: keeps a connection of its process' pool in a transaction for its time, in its first attempt, whatever its signal says.
 * - exit, exhaust, crash: takes its time, then ends its process: by process.exit, by all of its heap, by a signal.
 * - odd: does the one of `oddities` whose number its time is.
 */
export type Act = 'work' | 'stubborn' | 'block' | 'complete' | 'hold' | 'exit' | 'exhaust' | 'crash' | 'odd'

/** What a handler returns, and so what the row says of who ended it. */
export interface Signature {
  readonly pid: number
  readonly attempt: number
}

interface ChaosJobs {
  id: Generated<string>
  created_at: Generated<Date>
  updated_at: Generated<Date>
  status: Generated<JobStatus>
  last_error: string | null
  attempts_count: Generated<number>
  locked_at: Date | null
  locked_by: string | null
  run_at: Generated<Date>
  act: Act
  /** How long the handler takes, in milliseconds. */
  takes: number
  result: ColumnType<Signature | null, string | null, string | null>
}

/** A row's way from one status to the next, written by a trigger in the same transaction. */
export interface Move {
  readonly job_id: string
  /** Milliseconds of the epoch. */
  readonly at: number
  readonly from_status: JobStatus
  readonly to_status: JobStatus
  /** The lease before it: worker, attempt, and how long (milliseconds) it had not been renewed. */
  readonly holder: string | null
  readonly attempt: number
  readonly unrenewed: number | null
  /** What it wrote there, if anything. */
  readonly last_error: string | null
  readonly result: Signature | null
  /** The application name of whoever wrote it. */
  readonly writer: string
}

/** The database under fault. */
export interface ChaosDatabase {
  chaos_jobs: ChaosJobs
  moves: Move
  /** What `complete` jobs do in the transaction that completes them. */
  effects: { job_id: string; attempt: number }
}

export async function createChaosTables(db: Kysely<ChaosDatabase>): Promise<void> {
  await createJobTable(db, 'chaos_jobs', (table) =>
    table
      .addColumn('act', 'text', (column) => column.notNull())
      .addColumn('takes', 'integer', (column) => column.notNull())
      .addColumn('result', 'jsonb'),
  )
  await db.schema.createTable('effects').addColumn('job_id', 'uuid').addColumn('attempt', 'integer').execute()
  await sql`create table moves (
    job_id uuid, at float8, from_status text, to_status text,
    holder uuid, attempt int, unrenewed float8, last_error text, result jsonb, writer text)`.execute(db)
  await sql`create function record_move() returns trigger language plpgsql as $$ begin
    insert into moves values (
      old.id, extract(epoch from clock_timestamp()) * 1000, old.status, new.status, old.locked_by, old.attempts_count,
      extract(epoch from clock_timestamp() - old.locked_at) * 1000,
      case when new.last_error is distinct from old.last_error then new.last_error end, new.result,
      current_setting('application_name'));
    return null;
  end $$`.execute(db)
  await sql`create trigger record_move after update on chaos_jobs for each row
    when (old.status is distinct from new.status) execute function record_move()`.execute(db)
}

/** A move by the name that the worker gives itself: in its row stands a token of the lease. */
export function byWorker(move: Move): Move {
  return { ...move, holder: move.holder && workerOf(move.holder) }
}

/** One run of a handler, as it tells itself; times are milliseconds of the epoch. */
export interface Deed {
  readonly id: Generated<number>
  readonly job: string
  readonly attempt: number
  readonly pid: number
  readonly begun: number
  readonly aborted: number | null
  readonly reason: string | null
  readonly ended: number | null
  readonly how: 'returned' | 'threw' | null
}

/** A time in which a process could do nothing: stopped, killed, or its event loop blocked. */
export interface Silence {
  readonly pid: number
  readonly since: number
  readonly until: number
}

/** The database that no fault reaches: what really happened. */
export interface WitnessDatabase {
  deeds: Deed
  silences: Silence
  /** Which process has which worker. */
  workers: { readonly worker: string; readonly pid: number }
}

export async function createWitnessTables(db: Kysely<WitnessDatabase>): Promise<void> {
  await sql`create table deeds (
    id serial primary key, job uuid, attempt int, pid int, begun float8,
    aborted float8, reason text, ended float8, how text)`.execute(db)
  await sql`create table silences (pid int, since float8, until float8)`.execute(db)
  await sql`create table workers (worker uuid, pid int)`.execute(db)
}
