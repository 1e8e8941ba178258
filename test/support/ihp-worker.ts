import { randomUUID } from 'node:crypto'
import pg from 'pg'
import { type IhpJob, IhpLoop } from './ihp-loop.js'

export interface IhpOptions {
  /** IHP's BackoffStrategy. Default: its own default, linear, 30 s (which, by its sign, never waits: D1). */
  readonly backoff?: { readonly linear: number } | { readonly exponential: number }
  readonly timeoutInMicroseconds?: number
  readonly maxAttempts?: number
  readonly pollInterval?: number
}

const { escapeIdentifier, escapeLiteral } = pg

/**
 * A worker of IHP 1.4 or older: the statements of IHP.Job.Queue word for word, sent as postgresql-simple sends them, with every value
 * written into the text. One slot; it polls, as a table without triggers makes it do.
 */
export class IhpWorker extends IhpLoop {
  readonly id = randomUUID()
  readonly #pool: pg.Pool
  readonly #table: string
  readonly #options: IhpOptions

  constructor(pool: pg.Pool, table: string, options: IhpOptions = {}) {
    super(options.pollInterval)
    this.#pool = pool
    this.#table = table
    this.#options = options
  }

  async fetchNextJob(): Promise<IhpJob | undefined> {
    const table = escapeIdentifier(this.#table)
    const { rows } = await this.#pool.query<{ id: string }>(
      `UPDATE ${table} SET status = 'job_status_running', locked_at = NOW(), locked_by = ${escapeLiteral(this.id)}, attempts_count = attempts_count + 1 WHERE id IN (SELECT id FROM ${table} WHERE ${this.#claimable()} ORDER BY created_at LIMIT 1 FOR UPDATE) RETURNING id`,
    )
    const [claimed] = rows
    if (claimed === undefined) return undefined
    if (rows.length > 1) throw new Error(JSON.stringify(rows))
    const fetched = await this.#pool.query<IhpJob>(
      `SELECT ${table}.* FROM ${table} WHERE id = ${escapeLiteral(claimed.id)} LIMIT 1`,
    )
    return fetched.rows[0]
  }

  /** Counts what may be claimed, its own expired jobs too. */
  async countJobs(): Promise<number> {
    const table = escapeIdentifier(this.#table)
    const { rows } = await this.#pool.query<{ count: string }>(
      `SELECT COUNT(*) FROM ${table} WHERE ${this.#claimable()} LIMIT 1`,
    )
    return Number(rows[0]?.count)
  }

  async jobDidSucceed(job: IhpJob): Promise<void> {
    await this.#updateRecord(job, { status: 'job_status_succeeded' })
  }

  async jobDidFail(job: IhpJob, exception: unknown): Promise<void> {
    await this.#updateRecord(job, {
      status: this.#canRetry(job) ? 'job_status_retry' : 'job_status_failed',
      last_error: String(exception),
    })
  }

  async jobDidTimeout(job: IhpJob): Promise<void> {
    await this.#updateRecord(job, {
      status: this.#canRetry(job) ? 'job_status_retry' : 'job_status_timed_out',
      last_error: 'Timeout reached',
    })
  }

  #canRetry(job: IhpJob): boolean {
    return job.attempts_count < (this.#options.maxAttempts ?? 10)
  }

  /** Only the fields that were set are written, by the primary key alone, and by the worker's own clock. */
  async #updateRecord({ id }: IhpJob, fields: Readonly<Record<string, string>>): Promise<void> {
    const written = Object.entries({ ...fields, updated_at: new Date().toISOString() })
    const set = written.map(([column, value]) => `${column} = ${escapeLiteral(value)}`).join(', ')
    await this.#pool.query(
      `UPDATE ${escapeIdentifier(this.#table)} SET ${set}, locked_by = NULL WHERE id = ${escapeLiteral(id)}`,
    )
  }

  #claimable(): string {
    return `(((status = 'job_status_not_started') OR (status = 'job_status_retry' AND ${this.#retryQuery()})) AND locked_by IS NULL AND run_at <= NOW()) ${this.#timeoutCondition()}`
  }

  #retryQuery(): string {
    const { backoff = { linear: 30 } } = this.#options
    return 'linear' in backoff
      ? `updated_at < NOW() + (interval '1 second' * ${backoff.linear})`
      : `updated_at < NOW() - interval '1 second' * ${backoff.exponential} * POW(2, attempts_count)`
  }

  #timeoutCondition(): string {
    const timeout = this.#options.timeoutInMicroseconds
    return timeout === undefined
      ? 'AND (NULL IS NULL)'
      : `OR (status = 'job_status_running' AND locked_by IS NOT NULL AND locked_at + ((${timeout} + 1000000) || 'microseconds')::interval < NOW())`
  }
}
