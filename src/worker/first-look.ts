import type { Kysely } from 'kysely'
import { startError } from '../pg/connection-error.js'
import { mayPass, sqlState } from '../pg/error-class.js'
import type { EngineOptions } from '../schema/engines/engine.js'
import { inspectJobTable, type JobTableDescription } from '../schema/inspect.js'
import { Pause } from '../watch/pause.js'
import type { PauseReader } from './pause/pause-reader.js'
import { poolSize } from './pooling.js'
import type { Fitted } from './unfit-options.js'

/** What Postgres says of who may not connect, and of what is not there: to wait for that would be in vain. */
const isForGood = /^(?:28|42)/

/** What of a table fits a worker's options, and what reads what is paused of it. */
export type Fit = Fitted & { readonly pauseReader: PauseReader }

/** What a worker sees before it starts: its table, and how many connections the pool may have (undefined: it is not guarded). */
export interface FirstSight extends Fit {
  readonly description: JobTableDescription
  readonly connections: number | undefined
}

/** How a worker looks at its table before it starts. */
export class FirstLook {
  readonly #pause = new Pause()
  readonly #engine: EngineOptions | undefined
  #stopped = false

  /** @param engine what the user says of it */
  constructor(engine?: EngineOptions) {
    this.#engine = engine
  }

  /** Ends the wait for a server that is away. */
  stop(): void {
    this.#stopped = true
    this.#pause.end()
  }

  /**
   * @param check looks whether the worker's options fit the table, and what is paused of it
   * @param retry is told why, once for each reason, where a server that is away is waited for; without it that is an error
   * @returns undefined where it was stopped
   * @throws what does not fit; CatalogError, ConnectionError, JobTableError, NoSuchTableError, StatementPoolingError; whatever else the database says
   */
  async at<DB>(
    db: Kysely<DB>,
    table: string,
    check: (description: JobTableDescription) => Promise<Fit>,
    retry?: (error: unknown) => void,
  ): Promise<FirstSight | undefined> {
    for (let told: string | undefined; !this.#stopped; ) {
      try {
        const description = await inspectJobTable(db, table, this.#engine)
        const connections = await poolSize(db)
        const fit = await check(description)
        return this.#stopped ? undefined : { description, connections, ...fit }
      } catch (thrown) {
        const error = startError(thrown)
        if (retry === undefined || !mayPass(thrown) || isForGood.test(sqlState(thrown) ?? '')) throw error
        if (told !== String(error)) retry(error)
        told = String(error)
        await this.#pause.longer(thrown)
      }
    }
    return undefined
  }
}
