import { EventEmitter } from 'node:events'
import { log, type ToldEvent, type WorkerEvent, type WorkerEvents } from './events.js'
import type { Settings } from './options.js'

type Listener<Seen, Name extends WorkerEvent> = (...event: WorkerEvents<Seen>[Name]) => void

/** Tells what a worker does: listeners, and the log. `Seen` is a job as its handler gets it. */
export class WorkerEmitter<Table extends string, Seen> extends EventEmitter {
  readonly table: Table
  /** Never there: by it the compiler knows that a worker of few columns is none of all. */
  declare protected readonly seen?: Seen
  readonly #settings: Settings

  constructor(table: Table, settings: Settings) {
    super()
    this.table = table
    this.#settings = settings
  }

  /** As every emitter's, but for the names and payloads: Node's types take any, and say it in each version their own way. */
  override on<Name extends WorkerEvent>(name: Name, listener: Listener<Seen, Name>): this {
    return super.on(name, listener)
  }

  override once<Name extends WorkerEvent>(name: Name, listener: Listener<Seen, Name>): this {
    return super.once(name, listener)
  }

  override off<Name extends WorkerEvent>(name: Name, listener: Listener<Seen, Name>): this {
    return super.off(name, listener)
  }

  protected tell(event: ToldEvent, payload: object): void {
    log(this.#settings, this.table, event, payload)
    this.#call(event, payload)
  }

  protected report(error: unknown, doing: string): void {
    this.#logError(error, `an error while ${doing}; the worker goes on`)
    this.#call('error', { error, doing })
  }

  /** By its text: where a row is refused, Postgres' own error carries the whole row, payload and all. */
  #logError(error: unknown, sentence: string): void {
    const { logger, describeError } = this.#settings
    logger.error({ table: this.table, error: describeError(error) }, `${this.table}: ${sentence}`)
  }

  /** Not `emit`: an error event without listeners would throw, and one listener that throws would keep it from others. */
  #call(event: WorkerEvent, payload: object): void {
    if (this.listenerCount(event) === 0) return
    for (const listener of this.rawListeners(event)) {
      const failed = (error: unknown) => this.#logError(error, `a listener of '${event}' threw`)
      try {
        const answer: unknown = Reflect.apply(listener, this, [payload])
        if (answer instanceof Promise) answer.catch(failed) // an async listener's rejection would end the process
      } catch (error) {
        failed(error)
      }
    }
  }
}
