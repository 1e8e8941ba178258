import { randomUUID } from 'node:crypto'
import type pg from 'pg'
import { type IhpJob, IhpLoop } from './ihp-loop.js'

export interface ModernIhpOptions {
  /** IHP's BackoffStrategy, in seconds. Default: its own, linear, 30 s. */
  readonly backoff?: { readonly linear: number } | { readonly exponential: number }
  readonly maxAttempts?: number
  /** Seconds. Default: its own, 600. */
  readonly staleJobTimeout?: number
  /** How far the clock of its machine is ahead of the database's, in milliseconds. Default 0. */
  readonly clockAhead?: number
  readonly pollInterval?: number
}

/** What its claim and its poll take for waiting. */
const pending = `(status = 'job_status_not_started' OR status = 'job_status_retry') AND locked_by IS NULL AND run_at <= NOW()`

/** A worker of IHP 1.5 or later: what it sends, as it was read from its public source of August 2026. */
export class ModernIhpWorker extends IhpLoop {
  readonly id = randomUUID()
  readonly #pool: pg.Pool
  readonly #table: string
  readonly #options: ModernIhpOptions

  constructor(pool: pg.Pool, table: string, options: ModernIhpOptions = {}) {
    super(options.pollInterval)
    this.#pool = pool
    this.#table = table
    this.#options = options
  }

  async fetchNextJob(): Promise<IhpJob | undefined> {
    const { rows } = await this.#pool.query<IhpJob>(
      `UPDATE ${this.#table} SET status = 'job_status_running', locked_at = NOW(), locked_by = $1, attempts_count = attempts_count + 1
       WHERE id IN (SELECT id FROM ${this.#table} WHERE ${pending} ORDER BY created_at LIMIT 1 FOR UPDATE SKIP LOCKED)
       RETURNING *`,
      [this.id],
    )
    return rows[0]
  }

  async countJobs(): Promise<number> {
    const { rows } = await this.#pool.query<{ count: string }>(`SELECT COUNT(*) FROM ${this.#table} WHERE ${pending}`)
    return Number(rows[0]?.count)
  }

  /** By the primary key alone, as each of its results. */
  async jobDidSucceed({ id }: IhpJob): Promise<void> {
    await this.#pool.query(
      `UPDATE ${this.#table} SET status = 'job_status_succeeded', locked_by = NULL, updated_at = $1 WHERE id = $2`,
      [this.#now, id],
    )
  }

  async jobDidFail(job: IhpJob, exception: unknown): Promise<void> {
    await this.#failed(job, 'job_status_failed', String(exception))
  }

  async jobDidTimeout(job: IhpJob): Promise<void> {
    await this.#failed(job, 'job_status_timed_out', 'Timeout reached')
  }

  /** At its start, and then every half of `staleJobTimeout`. */
  async recoverStaleJobs(db: pg.Pool | pg.PoolClient = this.#pool): Promise<void> {
    await db.query(
      `UPDATE ${this.#table} SET status = 'job_status_retry', locked_by = NULL, locked_at = NULL, run_at = NOW()
       WHERE status = 'job_status_running' AND locked_at < NOW() - interval '1 second' * $1 AND locked_at > NOW() - interval '1 day'`,
      [this.#options.staleJobTimeout ?? 600],
    )
    await db.query(
      `UPDATE ${this.#table} SET status = 'job_status_failed', locked_by = NULL, locked_at = NULL, last_error = 'Stale job: worker likely crashed'
       WHERE status = 'job_status_running' AND locked_at < NOW() - interval '1 day'`,
    )
  }

  /** The retry of its dashboard. */
  async retryInDashboard(id: string): Promise<void> {
    await this.#pool.query(`UPDATE ${this.#table} SET status = 'job_status_retry' WHERE id = $1`, [id])
  }

  async #failed(job: IhpJob, final: string, text: string): Promise<void> {
    const canRetry = job.attempts_count < (this.#options.maxAttempts ?? 10)
    const next = canRetry ? new Date(this.#now.getTime() + this.#delay(job.attempts_count) * 1000) : job.run_at
    await this.#pool.query(
      `UPDATE ${this.#table} SET status = $1::public.job_status, locked_by = NULL, updated_at = $2, last_error = $3, run_at = $4 WHERE id = $5`,
      [canRetry ? 'job_status_retry' : final, this.#now, text, next, job.id],
    )
  }

  /** In seconds. */
  #delay(attempts: number): number {
    const { backoff = { linear: 30 } } = this.#options
    return 'linear' in backoff ? backoff.linear : Math.min(86_400, backoff.exponential * 2 ** Math.min(attempts, 20))
  }

  get #now(): Date {
    return new Date(Date.now() + (this.#options.clockAhead ?? 0))
  }
}
