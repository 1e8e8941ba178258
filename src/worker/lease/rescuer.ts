import { mayPass } from '../../pg/error-class.js'
import { expiredJobs } from '../../queue/expired.js'
import type { RowKey } from '../../queue/fenced.js'
import { type Rescued, rescue, rescueLimit } from '../../queue/rescue.js'
import { leaseOf } from '../../schema/row.js'
import { ask } from '../ask.js'
import { tellOfFreedKeys } from '../claim/freed-keys.js'
import { halves } from '../halves.js'
import { PassedOver } from '../passed-over.js'
import { maxAttemptsOf } from '../run/outcome.js'
import type { WorkerScope } from '../scope.js'

/** The most ids that an error names. */
const mostNamed = 10

interface Chunk {
  readonly rescued: readonly Rescued[]
  /** There may be more. */
  readonly isFull: boolean
}

interface Refused {
  readonly row: RowKey
  readonly error: unknown
}

/** Takes over what dead workers left, when it is told that there may be something. */
export class Rescuer {
  readonly #scope: WorkerScope
  readonly #rescued: () => void
  readonly #passedOver: PassedOver
  /** Rows that this rescue found locked by others. */
  #locked: readonly RowKey[] = []
  #rescuing: Promise<void> | undefined
  #stopped = false

  constructor(scope: WorkerScope, rescued: () => void) {
    this.#scope = scope
    this.#rescued = rescued
    this.#passedOver = new PassedOver(scope.settings.lease)
  }

  /** Rescues until nothing is left to be rescued; once at a time. */
  rescue(): void {
    this.#rescuing ??= this.#rescueAll()
  }

  /** Sends nothing any more. Resolves when what was sent is answered. */
  async stop(): Promise<void> {
    this.#stopped = true
    await this.#rescuing
  }

  async #rescueAll(): Promise<void> {
    this.#locked = []
    try {
      for (let isFull = true; isFull && !this.#stopped; ) isFull = await this.#rescueChunk()
    } catch (error) {
      this.#scope.report(error, 'rescuing jobs of workers that are gone')
    } finally {
      this.#rescuing = undefined
    }
  }

  async #rescueChunk(): Promise<boolean> {
    const { rescued, isFull } = await this.#nextChunk()
    if (rescued.length > 0) {
      this.#scope.tell('rescued', { jobs: rescued })
      this.#rescued()
      void tellOfFreedKeys(this.#scope)
    }
    return isFull
  }

  async #nextChunk(): Promise<Chunk> {
    const { maxAttempts } = this.#scope.settings
    if (typeof maxAttempts !== 'number') return this.#rescueByLimit()
    try {
      const rescued = await this.#take(maxAttempts)
      return { rescued, isFull: rescued.length >= rescueLimit }
    } catch (error) {
      if (mayPass(error)) throw error
      return this.#rescueByLimit()
    }
  }

  /**
   * Where the limit is a function of the job, or a row may not be written, rows are rescued together with others of their
   * limit. Those that were not keep none of the rows behind them from being rescued: what is locked is passed over by this
   * rescue, what may not be written for longer.
   */
  async #rescueByLimit(): Promise<Chunk> {
    const { userJobs, settings, claim } = this.#scope
    const asked = { ...claim, lease: settings.lease, except: this.#except }
    const find = (db: typeof userJobs.db) => expiredJobs({ ...userJobs, db }, asked)
    const expired = await ask(userJobs.db, settings.lease / 3, 'expired jobs', find)
    const rescued: Rescued[] = []
    const refused: Refused[] = []
    for (const [maxAttempts, rows] of Map.groupBy(expired, (job) => maxAttemptsOf(this.#scope, job)))
      rescued.push(...(await this.#takeApart(maxAttempts, rows.map(leaseOf), refused)))
    if (refused.length > 0) this.#passOver(refused)
    const tried = new Set([...rescued, ...refused.map(({ row }) => row)].map(nameOf))
    const locked = expired.map(leaseOf).filter((row) => !tried.has(nameOf(row)))
    this.#locked = [...this.#locked, ...locked]
    return { rescued, isFull: expired.length >= rescueLimit }
  }

  /** A row that may not be written keeps no other from being rescued: it is found by halving, and left as it is. */
  async #takeApart(maxAttempts: number, rows: readonly RowKey[], refused: Refused[]): Promise<Rescued[]> {
    try {
      return await this.#take(maxAttempts, rows)
    } catch (error) {
      if (mayPass(error)) throw error
      const [row, ...others] = rows
      if (row !== undefined && others.length === 0) refused.push({ row, error })
      const rescued: Rescued[] = []
      for (const half of halves(rows)) rescued.push(...(await this.#takeApart(maxAttempts, half, refused)))
      return rescued
    }
  }

  #passOver(refused: readonly Refused[]): void {
    this.#passedOver.add(refused.map(({ row }) => row))
    const ids = refused.map(({ row }) => row.id)
    const named = ids.slice(0, mostNamed).join(', ') + (ids.length > mostNamed ? ', ...' : '')
    const time = Math.round(this.#passedOver.time / 1000)
    const doing = `rescuing ${ids.length} jobs of workers that are gone (${named}), which are passed over for ${time} s`
    this.#scope.report(refused[0]?.error, doing)
  }

  get #except(): readonly RowKey[] {
    return [...this.#passedOver.rows, ...this.#locked]
  }

  #take(maxAttempts: number, only?: readonly RowKey[]): Promise<Rescued[]> {
    const { jobs, columns, settings } = this.#scope
    const options = {
      lease: settings.lease,
      maxAttempts,
      columns,
      key: jobs.key,
      home: jobs.home,
      only,
      except: this.#except,
    }
    return ask(jobs.db, settings.lease / 3, 'rescue', async (db) => {
      return this.#stopped ? [] : rescue(db, jobs.name, options)
    })
  }
}

function nameOf({ id, key }: RowKey): string {
  return key ?? String(id)
}
